"""One benchmark, sample by sample: ask, judge, write down, sum up. Works with any task and any model."""
