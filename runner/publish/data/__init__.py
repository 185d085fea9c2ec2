"""The data files of the site: for its scripts, and downloads for users.

::

    shards     all shots: attributes, states and scraps, two hundred to a file
    index      the index: shots, templates, scraps, signals
    archive     raw files, where their chunks are, and declarations
    search     the entries of the search
    traces     the packs of a shot: made, updated, removed
    traces_and_downloads  both for a publication; a shot as tables for other programs
    parquet    all scraps in one file

``docs/site-data.md`` describes the formats. `runner.publish.subject_data`: one shot, one day.
"""

__all__ = ["archive", "index", "parquet", "shards", "traces", "traces_and_downloads"]
