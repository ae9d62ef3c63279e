"""HumanEval: Python functions to complete, judged by unit tests."""
