"""What files and their names state in text: shot numbers, dates, numbers, tables."""
