"""What comparisons show, in sentences that name the runs."""
