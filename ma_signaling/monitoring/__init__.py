"""The log, metrics, health and readiness."""
