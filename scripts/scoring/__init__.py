"""The program of composite scores."""
