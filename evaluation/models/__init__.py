"""How a model is reached and asked: connection, requests, streaming, prompt style, log-probabilities."""
