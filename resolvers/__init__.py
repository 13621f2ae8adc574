"""Runs operations without any GraphQL: load, decide, commit."""
