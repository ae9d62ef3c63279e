"""Pages of single answers: the grid of problems and runs, one answer, and two of them side by side."""
