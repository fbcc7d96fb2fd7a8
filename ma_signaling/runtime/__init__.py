"""The process: services, listening, TLS, reload, shutdown, systemd."""
