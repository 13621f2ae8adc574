"""What MongoDB keeps: documents, the committer, the change feed, the embedded server."""
