"""Building blocks of the JSON Schemas with which MongoDB validates each collection."""

from typing import Any

STRING: dict[str, Any] = {"bsonType": "string"}
WHOLE: dict[str, Any] = {"bsonType": ["int", "long"]}
MOMENT: dict[str, Any] = {"bsonType": "date"}
OBJECT: dict[str, Any] = {"bsonType": "object"}
ARRAY: dict[str, Any] = {"bsonType": "array"}


def schema(required: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the validator of a collection whose documents must have `required`, each of its own schema."""
    return {"$jsonSchema": {"bsonType": "object", "required": [*required], "properties": required}}
