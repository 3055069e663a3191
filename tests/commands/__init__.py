"""What people type, as they type it: `python main.py ...` in a process of its own, against the emulated Asterisk."""
