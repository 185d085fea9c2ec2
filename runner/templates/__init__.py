"""Read, check, scaffold and fork template notebooks."""
