"""Arithmetic of results: intervals, paired tests, racing, figures of speed. Pure, and each formula has its source."""
