"""Types of the API: one noun a file."""
