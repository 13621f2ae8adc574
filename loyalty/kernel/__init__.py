"""The kernel: calendar, text, digests and refusals, which know nothing of members."""
