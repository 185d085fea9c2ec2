"""Everything that a report can read: its kinds, and the identity of each."""

__all__ = ["identity", "kinds", "shot_attributes"]
