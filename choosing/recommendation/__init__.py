"""From models and constraints to one server command: prune, measure, compare, decide; `recommend.py` has the steps."""
