"""The embedded MongoDB server, for development and tests only: production code does not import it."""
