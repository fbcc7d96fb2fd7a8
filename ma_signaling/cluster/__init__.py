"""Several nodes that serve one namespace of Remote IDs, over NATS: docs/cluster.md.

Everything but ``nats_bus`` and ``service`` is as pure as the core: a bus and a clock are passed in.
"""
