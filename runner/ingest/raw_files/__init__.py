"""Raw files on disk: arriving, hashed, in quarantine, left over."""
