"""Speculative decoding: draft models and heads, checked before a server starts; the options of llama-server and vLLM;
how many of the proposed tokens were accepted.
"""
