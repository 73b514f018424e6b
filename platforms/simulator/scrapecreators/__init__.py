"""ScrapeCreators as the simulator speaks it."""
