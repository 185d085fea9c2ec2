"""Logs, the progress of reports and the status, for people and machines."""
