"""Reads: batched queries, and the dependencies that an answer records."""
