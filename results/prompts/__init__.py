"""What a model was told, on disk: prompts that were sent, and prompt files."""
