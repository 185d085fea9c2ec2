"""Execute one job: run a notebook within limits into a report folder, with its receipt."""

__all__ = ["engine", "environment", "execute", "library_code", "notebooks", "placing"]
