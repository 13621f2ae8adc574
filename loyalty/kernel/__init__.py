"""The kernel: calendar, text, digests and refusals, independent of members and programmes."""
