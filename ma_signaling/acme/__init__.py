"""Certificates by ACME (RFC 8555): when to ask for one, the child process that asks, and answers to challenges."""
