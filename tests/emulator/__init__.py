"""Tests of the emulated Asterisk."""
