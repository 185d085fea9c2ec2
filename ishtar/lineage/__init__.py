"""What a notebook read while it ran, and which code: recorded, with digests."""

__all__ = ["executed", "normal_form", "record"]
