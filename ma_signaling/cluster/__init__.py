"""Several nodes that serve one namespace of Remote IDs, over NATS: docs/cluster.md.

Everything but ``service``, ``guest_loop`` and the modules named after NATS is as pure as the core: a bus and a clock
are passed in.
"""
