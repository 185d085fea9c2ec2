"""Hand due reports to workers, most urgent first; the coordinator writes the catalogue."""

__all__ = ["batch", "coordinator", "dispatch", "lock", "priority_queue", "rebuild", "scheduler"]
