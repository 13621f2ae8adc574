"""The mutation type, merged from the files of `schema/mutations`."""

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules

from strawberry.tools import merge_types

from schema import mutations


def _parts() -> Iterator[type]:
    """Yield the type of each file, `EnrolMutation` and so on, so that a new mutation is one new file."""
    for module in iter_modules(mutations.__path__, f"{mutations.__name__}."):
        declared = vars(import_module(module.name)).items()
        yield from (kind for name, kind in declared if name.endswith("Mutation") and isinstance(kind, type))


Mutation = merge_types("Mutation", tuple(_parts()))
Mutation.__doc__ = "Everything that clients can change. Each mutation takes one `input` with an idempotency `key`."
