"""Things people type."""
