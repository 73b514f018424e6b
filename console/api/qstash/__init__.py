"""What takes a QStash's place for the application: it publishes here what it published there."""
