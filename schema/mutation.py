"""The mutation type, merged from the files of `schema/mutations`."""

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

from strawberry.tools import merge_types

from schema import mutations

SHARED = "payload"


def parts(package: ModuleType) -> Iterator[type]:
    """Yield the type of each file, `EnrolMutation` and so on, so that a new mutation is one new file.

    Raises:
        TypeError: a file has no such type, and is not the one that the others share.
    """
    for file in iter_modules(package.__path__, f"{package.__name__}."):
        declared = vars(import_module(file.name)).items()
        found = [kind for name, kind in declared if name.endswith("Mutation") and isinstance(kind, type)]
        if not found and file.name.rpartition(".")[2] != SHARED:
            raise TypeError(f"{file.name} has no class whose name ends in Mutation: its mutations would not be served")
        yield from found


Mutation = merge_types("Mutation", tuple(parts(mutations)))
Mutation.__doc__ = "Everything that clients can change. Each mutation takes one `input` with an idempotency `key`."
