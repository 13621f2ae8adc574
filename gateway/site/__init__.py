"""The pages that the gateway serves, and the endpoints of the demonstration."""
