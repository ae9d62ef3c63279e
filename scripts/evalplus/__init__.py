"""The programs of HumanEval+ and MBPP+."""
