"""Servers for tests: MongoDB, gateways, browsers and the command line."""
