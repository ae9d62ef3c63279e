"""What is kept and what goes: answers of models, runs of other machines, old runs."""
