"""The pages that the gateway serves, and what the demonstration needs of it."""
