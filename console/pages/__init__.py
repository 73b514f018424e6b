"""One module a page: its routes, what it reads, what it changes."""
