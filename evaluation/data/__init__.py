"""Reading data sets and task files, with file and line for every error."""
