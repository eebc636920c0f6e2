"""Real servers for the tests: started by us on free ports of 127.0.0.1, and stopped by us."""
