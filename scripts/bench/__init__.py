"""Measures the figures the design promises, one bench per file."""
