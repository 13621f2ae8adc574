"""Types of the API: one noun per file."""
