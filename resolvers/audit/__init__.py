"""The audit: proves from the ledger and the other documents that everything adds up."""
