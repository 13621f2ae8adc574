"""Clients for tests: of resolvers, of gateways, of screens."""
