"""The service: files that arrive become reports on the site, by itself."""
