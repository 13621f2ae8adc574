"""Authentication: JWTs, the keys that verify them, and their revocation."""
