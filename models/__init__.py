"""Storage in MongoDB: documents, the committer, the change feed, the embedded server."""
