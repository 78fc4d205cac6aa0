"""What to run (strict campaign files) and where to run (the environment, read once)."""
