"""YouTube, as ScrapeCreators passes it on."""
