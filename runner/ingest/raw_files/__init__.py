"""Raw files on disk: arrival, concurrent intake, hashes, quarantine, leftovers."""

__all__ = ["intake", "leftovers", "quarantine", "settling", "source_hash"]
