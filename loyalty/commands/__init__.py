"""Commands: requests to change members, each registered with its handler. One verb a file."""
