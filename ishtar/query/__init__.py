"""Queries over shots: text to a tree, a tree to SQL, what has been looked for."""
