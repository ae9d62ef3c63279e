"""From what a script printed or wrote, ours or another tool's, to a `Score`: one module for each format."""
