"""Queries over shots: text to a syntax tree, the tree to SQL, and the index that SQL reads."""
