"""One folder a benchmark: its data, prompts and rules of judging."""
