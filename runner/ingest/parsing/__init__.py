"""Parsing of text in files and their names: shot numbers, dates, numbers, tables."""
