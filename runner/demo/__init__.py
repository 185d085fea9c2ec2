"""The demos: synthetic shots through the whole factory."""

__all__ = ["demo"]
