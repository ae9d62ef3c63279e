"""What the benchmark programs are made of: tasks, interfaces to models, the runner between, the journal."""
