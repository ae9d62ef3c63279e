"""What requests to a provider cost, how much they may, and answers that are kept so that nothing is paid twice."""
