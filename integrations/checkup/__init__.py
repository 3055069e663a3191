"""Is everything in place? Questions to the folder, to the machine and to Asterisk, each with a remedy."""
