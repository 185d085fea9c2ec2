"""The web service: the site with its archive, parts of files included."""

__all__ = ["run", "site_app"]
