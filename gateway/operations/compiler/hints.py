"""Hints: what a schema can declare to the compiler about its fields and types."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

HINT = "compiled"
"""The key of a hint in `extensions`."""

Guard = Callable[[Any], None]


@dataclass(frozen=True, slots=True)
class Attribute:
    """A field that reads the attribute `name` of its source.

    `guard`, here and below, gets the context, and raises if the actor may not use the field. It must depend only on the
    context: it is called once per execution, and again at its field only if a guard has raised.
    """

    name: str
    guard: Guard | None = None


@dataclass(frozen=True, slots=True)
class Method:
    """A field that calls `function(source, **arguments)`, or `function(source, execution, **arguments)`.

    Without the execution and without arguments, it must depend only on its source, as an attribute does.
    `takes_execution`: the function takes the second argument, and may use only its `context`.
    `maybe_awaitable`: the function is not a coroutine function, but may return an awaitable.
    """

    function: Callable[..., Any]
    takes_execution: bool = False
    maybe_awaitable: bool = False
    guard: Guard | None = None


@dataclass(frozen=True, slots=True)
class Instances:
    """An object type whose values of exactly this class need no `is_type_of`.

    `cache_attribute` names an attribute of immutable objects that holds a dictionary, empty at first: the cache for
    results of selections whose fields depend only on their source. Objects of one class that are equal in all these
    fields can share the dictionary.
    """

    python_class: type
    cache_attribute: str | None = None


@dataclass(frozen=True, slots=True)
class Unchanged:
    """A scalar whose values of exactly this class are returned unchanged: serialisation would not change them."""

    python_class: type
