"""The composite score of a run: what is asked, what speed is compared with, and the program that computes it."""
