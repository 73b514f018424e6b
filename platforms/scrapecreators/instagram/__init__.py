"""Instagram, as ScrapeCreators passes it on."""
