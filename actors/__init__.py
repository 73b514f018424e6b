"""What a wake-up runs: it claims a task, works a slice of it, settles it."""
