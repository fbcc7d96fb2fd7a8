"""The benchmark: what this server costs, compared with the same relay on Node's ws (docs/performance.md)."""
