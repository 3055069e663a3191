"""Audio as data: what a recording holds."""
