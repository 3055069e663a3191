"""Tests of the rooms that carry conversations."""
