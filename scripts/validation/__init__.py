"""Programs that show and check the files of a user: suites."""
