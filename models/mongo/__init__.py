"""Collections: one a file, with its document, indexes, validator and codec."""
