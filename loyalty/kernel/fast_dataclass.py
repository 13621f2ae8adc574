"""Frozen dataclasses with a fast constructor, because one event creates dozens of values."""

from dataclasses import MISSING, fields
from typing import Any, TypeVar

T = TypeVar("T")


def fast_init(cls: type[T]) -> type[T]:
    """Replace the constructor of a frozen dataclass with slots by one of the same signature that takes half the time.

    The original sets each field with `object.__setattr__`, which looks it up by name. An event creates about 30 values
    with about 200 fields, and that was a tenth of its cost.
    """
    parameters: list[str] = []
    body: list[str] = []
    names: dict[str, Any] = {"_missing": MISSING}
    for field in fields(cls):  # type: ignore[arg-type]  # it is a dataclass
        name, given = field.name, field.name
        if not field.init:
            continue
        names[f"_set_{name}"] = cls.__dict__[name].__set__
        if field.default is not MISSING:
            names[f"_default_{name}"] = field.default
            parameters.append(f"{name}=_default_{name}")
        elif field.default_factory is not MISSING:
            names[f"_make_{name}"] = field.default_factory
            parameters.append(f"{name}=_missing")
            given = f"_make_{name}() if {name} is _missing else {name}"
        else:
            parameters.append(name)
        body.append(f"    _set_{name}(self, {given})")
    if hasattr(cls, "__post_init__"):
        body.append("    self.__post_init__()")
    source = f"def __init__(self, {', '.join(parameters)}):\n" + "\n".join(body)
    exec(source, names)  # noqa: S102 - built from the class's own field names only, as dataclass() does
    constructor = names["__init__"]
    constructor.__qualname__ = f"{cls.__qualname__}.__init__"
    constructor.__annotations__ = dict(cls.__init__.__annotations__)
    cls.__init__ = constructor  # type: ignore[method-assign]
    return cls
