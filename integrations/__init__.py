"""Speaks with one outside party each, or plays one."""
