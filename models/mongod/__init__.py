"""The embedded MongoDB server, for development and tests; nothing in production imports it."""
