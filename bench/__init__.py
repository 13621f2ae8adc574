"""What a gateway does in a second: queries, events and deliveries, each answer checked. Run by `make bench`."""
