"""What a schema can tell the compiler about its fields and types."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

KNOWN = "compiled"
"""Under this name in `extensions`."""

Guard = Callable[[Any], None]


@dataclass(frozen=True, slots=True)
class Attribute:
    """A field that reads the attribute `name` of its source.

    `guard`, here and below, gets the context, and raises where the actor may not use the field. What it says depends on
    the context alone: it is asked once for each execution, and again only where it said no.
    """

    name: str
    guard: Guard | None = None


@dataclass(frozen=True, slots=True)
class Method:
    """A field that calls `function(source, **arguments)`, or `function(source, execution, **arguments)`.

    Without the execution and without arguments, it is of its source alone: the same each time, as an attribute is.
    `takes_execution`: the function wants the second argument, of which only `context` may be used.
    `maybe_awaitable`: it is no coroutine function, and may return an awaitable all the same.
    """

    function: Callable[..., Any]
    takes_execution: bool = False
    maybe_awaitable: bool = False
    guard: Guard | None = None


@dataclass(frozen=True, slots=True)
class Instances:
    """An object type whose values of exactly this class need no `is_type_of`.

    `kept_in` names an attribute that holds a dictionary, empty at first, in objects that never change: what a selection
    of fields that are of their source alone comes to is kept in it. Objects that are the same in all these fields, and
    of one class, can share it.
    """

    python_class: type
    kept_in: str | None = None


@dataclass(frozen=True, slots=True)
class AsItIs:
    """A scalar whose values of exactly this class are told as they are: to serialise them would change nothing."""

    python_class: type
