"""Create workspaces and check them for problems."""

__all__ = ["doctor", "new_workspace"]
