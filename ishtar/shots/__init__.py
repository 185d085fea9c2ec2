"""A shot, and the testbed that it is of."""

__all__ = ["any_shot", "any_testbed", "clocks", "shot", "testbed"]
