"""Fidelity to a reference: the text and its windows, log-probabilities as a running server gives them, the reference's
predictions on disk, and the comparison of both.
"""
