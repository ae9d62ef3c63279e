"""Metrics of one answer: pure functions of what was read in it and what was expected, each a fraction from 0 to 1.

Those that only exist over many answers (MCC, macro F1, correlations) are in `results.stats.corpus_metrics`, because the
parsers compute them as well.
"""
