"""llama.cpp's `llama-perplexity`, which takes the server's place in a run of kld: found, and its command line made."""
