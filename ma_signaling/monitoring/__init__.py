"""The log, metrics and readiness."""
