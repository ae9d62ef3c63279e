"""MMLU: questions with four choices."""
