"""The search for a better prompt: five optimisers over one engine, with a journal, budgets, races and one last test."""
