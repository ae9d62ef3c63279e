"""What a benchmark's script printed or wrote -> a score. `parsers.registry.get` finds one by name."""
