"""Who may ask for what: keys and roles, hosts and origins, limits on requests, and the headers of every answer."""
