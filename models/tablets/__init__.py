"""Stores tablets, and the sessions that shoppers open on them."""
