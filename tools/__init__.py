"""Development tools: nothing in production imports them."""
