"""The parts of a composite score: correctness, speed, quality and efficiency of solutions, and scorers of one's own."""
