"""Tests that read the tree and hold the house rules."""
