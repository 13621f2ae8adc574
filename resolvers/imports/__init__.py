"""Imports the Complete Journey data set through the same commands as live events."""
