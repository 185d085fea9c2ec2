"""The site as data: what its scripts draw from, and what people take away.

::

    encode     a value as JSON, and as the script that hands it to a page
    shot       one shot: the facts of its page
    shards     all shots: attributes, states and scraps, two hundred to a file
    index      what there is: shots, templates, scraps, signals; what the search looks through
    tiles      a signal cut into small files, from the whole shot to single samples
    traces     the tiles of a shot: what is made, when it is made anew, what is let go
    downloads  a shot as tables for other programs
    parquet    all scraps in one file

Formats are told in ``docs/site-data.md``.
"""
