"""Speaks to Asterisk, the disk and the clock, and decides nothing."""
