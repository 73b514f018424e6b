"""Who may see and change what: passwords, sessions, tokens of forms, headers, names of the host."""
