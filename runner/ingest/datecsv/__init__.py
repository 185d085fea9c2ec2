"""The CSV file of a shot: date, gas, program, operator, comment."""
