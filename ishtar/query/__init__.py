"""Queries over shots: text to a syntax tree, the tree to SQL, and the index that SQL reads."""

__all__ = ["index", "parse", "query_tree", "shot_numbers", "sql"]
