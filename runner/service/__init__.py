"""The service turns arriving files into reports on the site."""

__all__ = ["backfill", "external_changes", "observe", "watch"]
