"""The audit: checks the ledger, members, orders, codes and counters against each other."""
