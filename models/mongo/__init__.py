"""The MongoDB collections: one per file, with its document class, indexes, validator and conversion functions.

Beanie declares a collection: its fields, its indexes, which `init_beanie` creates, and its JSON Schema validator, which
`Database.prepare` installs. Reads and writes use PyMongo's collections and plain dictionaries; the conversion functions
turn those into the dataclasses of `loyalty/` and back. docs/decisions/0023-where-beanie-stops.md gives the reasons.
"""
