"""Instagram Graph API, the platform's own interface: hashtag media, and profiles by exact name."""
