"""The commands that answer a question with several runs: they parse, call `choosing`, and print."""
