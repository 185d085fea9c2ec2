"""The site as data: what its scripts draw from, and what people take away.

::

    shards                 all shots: attributes, states and scraps, two hundred to a file
    index                  what there is: shots, templates, scraps, signals
    search                 what the search finds besides shots
    tiles                  a signal cut into small files, from the whole shot to single samples
    traces                 the tiles of a shot: what is made, made again, and removed with age
    traces_and_downloads   what follows the pages: traces, and a shot as tables for other programs
    parquet                all scraps in one file

``docs/site-data.md`` describes the formats. `runner.publish.subject_data`: one shot, one day.
"""
