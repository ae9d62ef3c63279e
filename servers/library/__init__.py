"""The models that other programs keep on this machine: where they are, what they are called, what they are."""
