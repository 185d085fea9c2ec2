"""Raw files on disk: arrival, concurrent intake, hashes, quarantine, leftovers."""
