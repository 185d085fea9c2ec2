"""Testbeds of published sites: shots, scraps and signals, by the site's address.

::

    byte_ranges      parts of files: what to ask for together, what an answer holds
    cache            what was read, on the reader's disk
    connection       requests, with credentials for one host
    fetch            files of a site, over HTTP or from a folder
    archive          raw files and declarations of a site
    archive_shot     a shot of a site with an archive
    published_facts  what the pages of a site show of a shot
    pieces           pieces of files that never change
    pack_samples     the samples of a signal, from its pack
    remote_shot      a shot of a site without raw data
    mirror           attributes and scraps of all shots, as a local catalogue for queries
    remote_testbed   the testbeds
    not_kept         errors for what only a workspace has

``docs/far.md`` describes the archive, ``docs/site-data.md`` everything else that a site keeps.
"""

__all__ = ["cache", "fetch", "remote_testbed"]
