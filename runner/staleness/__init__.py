"""Which reports are missing or stale, and by which of their inputs."""
