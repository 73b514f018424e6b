"""YouTube Data API v3, the platform's own interface."""
