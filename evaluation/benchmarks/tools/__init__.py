"""Tool calling: which tool a model calls, with which arguments, when it calls none, and what it does with results."""
