"""What the command measures, a table each."""
