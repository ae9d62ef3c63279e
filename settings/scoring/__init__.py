"""What a user says of composite scores: whether to compute one, the parts' weights, what speed is compared with."""
