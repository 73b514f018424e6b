"""What keeps provider calls within what providers allow and what operators want to pay."""
