"""Speed under load: the requests, and the client that sends and times them."""
