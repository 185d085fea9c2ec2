"""The CSV file of a shot: date, gas, program, operator, comment."""

__all__ = ["datecsv_converter"]
