"""E-mails to the application's users: what they say, how they are handed over, and that each goes out once."""
