"""Everything that a report can read: its kinds, and the identity of each."""

__all__ = ["attributes", "identity", "kinds"]
