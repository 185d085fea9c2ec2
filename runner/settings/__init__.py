"""What a workspace sets, from ``ishtar.toml``, and what comes with the package."""
