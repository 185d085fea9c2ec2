"""The pages of the site: one file for each kind."""

__all__ = [
    "across_shots",
    "bibliography",
    "calendar_pages",
    "declared",
    "feeds",
    "landing",
    "report_page",
    "shots",
    "templates",
]
