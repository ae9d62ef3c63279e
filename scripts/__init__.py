"""One runnable program a benchmark; each runs alone, against any OpenAI-compatible URL."""
