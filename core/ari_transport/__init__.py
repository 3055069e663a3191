"""How a REST request reaches Asterisk: the seam, and one transport per file behind it."""
