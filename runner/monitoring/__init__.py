"""What goes on, told for people and machines: logs, progress of reports, status."""
