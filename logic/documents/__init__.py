"""Reads what people write in YAML: strictly, and remembering where each thing stands."""
