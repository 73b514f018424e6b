"""What operators change: which jobs are meant, what would happen, and what did. For command, console and API alike."""
