"""Rendering: from an executed notebook, which is untrusted, to the body of a page."""

__all__ = [
    "cells",
    "citations",
    "format",
    "fragment",
    "images",
    "notebook",
    "outputs",
    "parameter_table",
    "prefetch",
    "sanitise",
    "theme",
    "untrusted",
]
