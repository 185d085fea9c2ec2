"""Find out which reports are missing or stale, and because of which inputs."""

__all__ = ["current_state", "fingerprints", "integrity", "plan"]
