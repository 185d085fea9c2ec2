"""The site: from receipts and shots to static pages.

::

    source          a workspace → records
    view            what the pages say of them, looked up once for each publication
    pages/          one file for each kind of page; page_sets: which pages there are
    data/           what the site's scripts draw from, and downloads
    writer          files into the site: each atomically, in a safe order
    build           all of it, or the pages that mention some subjects
"""

from runner.publish.build import NotASite, Published, publish, publish_workspace

__all__ = [
    "NotASite",
    "Published",
    "addresses",
    "build",
    "data",
    "page_models",
    "publish",
    "publish_workspace",
    "quantities",
    "records",
    "retention",
    "source",
    "view_models",
    "writer",
]
