"""What an operation does, free of GraphQL: load, decide, commit."""
