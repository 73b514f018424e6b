"""What providers tell, made into the creator JSON that the application reads."""
