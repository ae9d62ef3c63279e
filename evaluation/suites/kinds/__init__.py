"""The kinds of answers that a suite may ask for: what is right, and how an answer is read and judged."""
