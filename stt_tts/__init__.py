"""Hears and speaks through vendors: one vendor per file, capabilities as data."""
