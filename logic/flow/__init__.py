"""Runs conversations that are written in YAML: reads, checks and steps them."""
