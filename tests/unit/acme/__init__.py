"""Certificates by ACME, in memory."""
