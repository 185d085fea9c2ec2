"""What is due gets to the workers, the urgent first; the coordinator writes the catalogue."""
