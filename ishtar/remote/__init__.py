"""Testbeds of published sites: shots, scraps and signals, by the site's address.

::

    fetch    files of a site over HTTP
    not_kept errors for what only a workspace has
    numbers  numbers as the site's data writes them
    samples  the samples of a signal, from its tiles
    shot     one shot
    mirror   attributes and scraps of all shots, as a local catalogue for queries
    testbed  the testbed

``docs/site-data.md`` describes what a site keeps.
"""

__all__ = ["fetch", "remote_testbed"]
