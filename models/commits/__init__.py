"""Commits: commands are gathered into groups, decided, and written in one transaction per group."""
