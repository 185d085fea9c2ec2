"""The site: from receipts and shots to static pages.

::

    notebook        an executed notebook → report.html, figures/, thumbnail.png beside it
    site            a site source → all pages, or those that mention a subject
    pages, records  what page templates get; what a site source gives
"""

from runner.publish.build import NotASite, Published, publish

__all__ = ["NotASite", "Published", "publish"]
