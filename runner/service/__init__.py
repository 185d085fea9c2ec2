"""The service turns arriving files into reports on the site."""
