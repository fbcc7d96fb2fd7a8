"""What this server costs, against the same relay on Node's ws: see docs/performance.md."""
