"""Workspaces: made, and looked at for what may be wrong with them."""
