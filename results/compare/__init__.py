"""Which runs may be compared, how two of them differ, and which of many are the best."""
