"""Imports of the real data set, through the same commands as live events."""
