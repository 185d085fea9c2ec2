"""CSV files with a date in each row."""
