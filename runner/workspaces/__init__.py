"""Create workspaces and check them for problems."""
