"""The mutation type: the sum of what each file of `schema/mutations` declares."""

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules

from strawberry.tools import merge_types

from schema import mutations


def _parts() -> Iterator[type]:
    """Yield each file's own type, `EnrolMutation` and so on: a new mutation is a new file, and no list of them."""
    for module in iter_modules(mutations.__path__, f"{mutations.__name__}."):
        declared = vars(import_module(module.name)).items()
        yield from (kind for name, kind in declared if name.endswith("Mutation") and isinstance(kind, type))


Mutation = merge_types("Mutation", tuple(_parts()))
Mutation.__doc__ = "Everything that can be changed."
