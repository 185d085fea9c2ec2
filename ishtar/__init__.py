"""Ishtar."""
