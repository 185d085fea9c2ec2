"""Hand due reports to workers, most urgent first; the coordinator writes the catalogue."""
