"""TikTok's own Research API, for approved researchers."""
