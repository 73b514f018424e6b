"""ScrapeCreators: a paid reader of public social media pages. Facts from recorded answers (2025) and docs (2026)."""
