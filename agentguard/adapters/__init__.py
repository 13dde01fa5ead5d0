"""One door for each outside world that brings actions; nobody inside imports a door."""
