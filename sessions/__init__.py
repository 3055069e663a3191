"""Carries conversations, from the first event to the closing routine."""
