"""Decides, and awaits nothing."""
