"""The way to a running engine: a Unix socket in its data folder, for commands typed beside it.

One request a connection, one JSON object a line. The socket belongs to the user the engine runs as, and so do the
calls asked for on it: it is no public door and knows no tokens.
"""
