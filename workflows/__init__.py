"""The durable job: phases in order, the events they cause, and the ways in for clients and people."""
