"""Loads: the requests that servers are measured with, the load generator, and the comparison of its figures."""
