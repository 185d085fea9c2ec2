"""Logs, the progress of reports and the status, for people and machines."""

__all__ = ["logs", "progress", "status"]
