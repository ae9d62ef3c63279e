"""From what a model wrote to what it answered: code, programs, numbers, letters, with its thoughts put aside."""
