"""What requests may cost: prices, caps, and the cache of answers."""
