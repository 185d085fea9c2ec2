"""Shots and testbeds."""

__all__ = ["any_shot", "any_testbed", "clocks", "shot", "testbed"]
