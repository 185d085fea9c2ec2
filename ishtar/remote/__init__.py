"""A testbed over a published site: its shots, scraps and signals, by an address.

::

    fetch    files of a site over HTTP, few and small
    not_kept what only a workspace has, told in one way
    samples  the samples of a signal, from its tiles
    shot     one shot
    mirror   attributes and scraps of all shots, as a catalogue to ask
    testbed  the whole

What a site keeps is told in ``docs/site-data.md``.
"""

__all__ = ["fetch", "testbed"]
