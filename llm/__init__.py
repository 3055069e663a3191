"""Asks language models: one vendor per file, capabilities as data."""
