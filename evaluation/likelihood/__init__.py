"""How likely a model finds given tokens: what llama-server and vLLM tell, and what follows for continuations."""
