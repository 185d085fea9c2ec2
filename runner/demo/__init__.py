"""The demos: synthetic shots through the whole factory."""
