"""Benchmarks of the gateway: queries, events and live updates per second, every answer checked. See `make bench`."""
