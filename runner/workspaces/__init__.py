"""Create workspaces, check them for problems, and remove what they no longer keep."""

__all__ = ["doctor", "new_workspace", "prune"]
