"""What a job does: one module a phase, each a durable Temporal activity."""
