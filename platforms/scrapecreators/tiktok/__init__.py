"""TikTok, as ScrapeCreators passes it on."""
