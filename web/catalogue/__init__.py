"""What a request may name: the operator's models, servers, providers and data; and the manifest that it becomes."""
