"""Shared by all features: the context, the actor and its rights, and running a command."""
