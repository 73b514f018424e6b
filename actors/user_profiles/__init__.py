"""The move of the older one-table layout of users into the five tables."""
