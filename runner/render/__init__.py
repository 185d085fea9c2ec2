"""Rendering: from an executed notebook, which is untrusted, to the body of a page."""
