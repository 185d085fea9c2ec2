"""Template notebooks: read, checked, started from a scaffold, forked."""
