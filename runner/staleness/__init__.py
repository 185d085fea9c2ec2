"""Find out which reports are missing or stale, and because of which inputs."""
