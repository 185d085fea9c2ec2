"""The generator's logs of a day, matched to the shots of the day."""

__all__ = ["day_index", "day_logs"]
