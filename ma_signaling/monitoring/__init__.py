"""What an operator reads: the event log, metrics, readiness."""
