"""Read, check, scaffold and fork template notebooks."""

__all__ = [
    "check",
    "fork",
    "notebook_file",
    "parameters",
    "ranges",
    "results",
    "scaffold",
    "template",
]
