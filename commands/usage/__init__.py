"""How the words of a command line are read, beside what click does."""
