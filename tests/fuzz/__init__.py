"""Damaged and crafted raw files against ingest: ``python -m tests.fuzz`` (``make fuzz``)."""
