"""Execute one job: run a notebook within limits into a report folder, with its receipt."""
