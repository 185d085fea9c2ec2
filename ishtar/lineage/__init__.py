"""What a notebook read while it ran, and which code: recorded, with digests."""
