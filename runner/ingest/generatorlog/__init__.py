"""The RF generator's log of a day."""
