"""Read, check, scaffold and fork template notebooks."""

__all__ = [
    "check",
    "fork",
    "notebook_file",
    "origin_cell",
    "parameters",
    "ranges",
    "results",
    "scaffold",
    "template",
]
