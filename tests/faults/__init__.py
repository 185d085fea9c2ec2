"""The service under faults of every kind that passes: nothing may be lost, nobody has to help."""
