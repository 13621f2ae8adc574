"""Finds the document classes of all collections, for `Database.prepare`: a new collection is one new file here."""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from beanie import Document


@cache
def documents(package: str = "models.mongo") -> tuple[type[Any], ...]:
    """Return the document classes that the files of a package define, by file.

    Raises:
        TypeError: a class has no collection name or no validator, or two classes have the same collection.
    """
    found: dict[str, type[Any]] = {}
    for file in iter_modules(import_module(package).__path__, f"{package}."):
        for kind in vars(import_module(file.name)).values():
            if isinstance(kind, type) and issubclass(kind, Document) and kind.__module__ == file.name:
                name = _collection_name(kind)
                if name in found:
                    raise TypeError(f"{kind.__name__} and {found[name].__name__} are both the collection {name!r}")
                found[name] = kind
    return tuple(found.values())


def _collection_name(document: type[Any]) -> str:
    name: str | None = getattr(getattr(document, "Settings", None), "name", None)
    if name is None or not hasattr(document, "validator"):
        raise TypeError(f"{document.__name__} needs `Settings.name` and a `validator` (models/mongo/schema.py)")
    return name
