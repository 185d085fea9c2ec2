"""The site: from receipts and shots to static pages."""
