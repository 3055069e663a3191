"""The deciding room: flows, guards, prompts, scenarios."""
