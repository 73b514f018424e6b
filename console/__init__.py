"""The operators' pages and the HTTP API: one FastAPI application."""
