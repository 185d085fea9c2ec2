"""The RF generator's log of a day."""

__all__ = ["generatorlog_converter"]
