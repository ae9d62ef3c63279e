"""What answers are worth: the types of scores beyond passed and failed."""
