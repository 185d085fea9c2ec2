"""Parsing of text in files and their names: shot numbers, dates, numbers, tables."""

__all__ = [
    "dates",
    "file_names",
    "shot_number",
    "stated_moments",
    "stated_numbers",
    "stated_steps",
    "text_table",
]
