"""Definitions: the YAML language of programme files, and CEL."""
