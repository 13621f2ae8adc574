"""Commands: what somebody asks for, and the decision on it. One verb a file."""
