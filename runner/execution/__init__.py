"""One job: a notebook run to a report folder, within limits, with its record."""
