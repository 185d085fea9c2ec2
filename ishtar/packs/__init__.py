"""Packs: a signal at several levels in one file, for viewers that read parts of files.

::

    levels       the levels of a record, and their bins, cut in constant memory
    codes        what the codes of a block stand for
    white_noise  how much of a block is noise
    block_bytes  some bins as compressed bytes
    part         the bytes of one signal: written level by level, read by ranges

``docs/site-data.md`` describes the format.
"""

__all__ = ["levels", "part"]
