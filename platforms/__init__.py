"""Pure provider knowledge: how to ask, how to read, how a page ends, what an error means."""
