"""A shot, and the testbed that it is of."""
