"""What compiled code calls when it runs: the state of one execution, and all that is seldom needed."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from types import CoroutineType
from typing import Any

from graphql import FieldNode, GraphQLError, GraphQLField, GraphQLObjectType, located_error
from graphql.execution.collect_fields import FieldDetails
from graphql.execution.executor import Executor, invalid_return_type_error
from graphql.execution.values import VariableValues, get_argument_values
from graphql.pyutils import Path, Undefined, gather_with_cancel
from graphql.pyutils.is_awaitable import is_async_iterable, is_awaitable
from graphql.pyutils.is_iterable import is_iterable

# A path is a pair of the path before it and a Place or a list's index: making one costs next to nothing.
Link = tuple[Any, Any] | None


class Unforeseen(BaseException):
    """A value that compiled code cannot complete, such as an awaitable in a list; no handler of errors may catch it."""


class Place:
    """A field in an operation: what locating an error or building an info object needs."""

    __slots__ = ("definition", "details", "key", "name", "nodes", "null_message", "parent")

    def __init__(
        self, key: str, details: list[FieldDetails], parent: GraphQLObjectType, definition: GraphQLField
    ) -> None:
        self.key, self.details, self.parent, self.definition = key, details, parent, definition
        self.nodes: list[FieldNode] = [detail.node for detail in details]
        self.name = self.nodes[0].name.value
        self.null_message = f"Cannot return null for non-nullable field {parent}.{self.name}."


def keys_of(path: Link) -> list[str | int]:
    """Return a path as GraphQL tells it."""
    keys: list[str | int] = []
    while path is not None:
        path, step = path
        keys.append(step.key if step.__class__ is Place else step)
    keys.reverse()
    return keys


class Execution:
    """One execution. `context` is the caller's; resolvers that are told of get this object as their info."""

    __slots__ = ("_core", "_nulled", "build", "context", "denied", "errors", "raw", "root", "values")

    def __init__(
        self,
        context: Any,
        root: Any,
        raw: dict[str, Any],
        values: Mapping[str, Any],
        build: Callable[["Execution"], Executor[Any]],
    ) -> None:
        self.context, self.root, self.raw, self.values, self.build = context, root, raw, values, build
        self.denied = False
        self.errors: list[GraphQLError] = []
        self._nulled: set[tuple[str | int, ...]] = set()
        self._core: Executor[Any] | None = None

    # Errors, as graphql-core's handle_field_error and CollectedErrors have them

    def located(self, error: Exception, place: Place, path: Link) -> GraphQLError:
        """Return an error with its place in the operation; `path` is the field's, or the list item's."""
        return located_error(error, place.nodes, keys_of(path))

    def caught(self, error: Exception, place: Place, path: Link) -> None:
        """Note an error that makes the value at `path` null; nothing where the place is null by another one already."""
        keys = keys_of(path)
        self.add(located_error(error, place.nodes, keys), tuple(keys))

    def add(self, error: GraphQLError, keys: tuple[str | int, ...]) -> None:
        """Note an error at a place, () for all of `data`, unless that is null by another one already."""
        if self._nulled and any(keys[:n] in self._nulled for n in range(len(keys) + 1)):
            return
        self._nulled.add(keys)
        self.errors.append(error)

    # What graphql-core has for it

    @property
    def core(self) -> Executor[Any]:
        """graphql-core's executor of the same operation, for what it does better."""
        if self._core is None:
            self._core = self.build(self)
        return self._core

    @property
    def variable_values(self) -> VariableValues:
        """The variables with their sources."""
        return self.core.variable_values

    def info(self, place: Place, path: Link) -> Any:
        """Return graphql-core's info object for a field."""
        steps = []
        while path is not None:
            path, step = path
            steps.append(step)
        told: Path | None = None
        for step in reversed(steps):
            is_place = step.__class__ is Place
            told = Path(told, step.key if is_place else step, step.parent.name if is_place else None)
        return self.core.build_resolve_info(place.definition, place.nodes, place.parent, told)  # type: ignore[arg-type]

    def arguments(self, place: Place) -> dict[str, Any]:
        """Return the arguments of a field, coerced by graphql-core."""
        return get_argument_values(place.definition, place.nodes[0], self.variable_values)

    def runtime_type(self, abstract: Any, value: Any, place: Place, path: Link) -> str:
        """Return the name of a value's type, one of those that `abstract` can be."""
        info = self.info(place, path)
        resolve = abstract.resolve_type or self.core.type_resolver
        name = resolve(value, info, abstract)
        if is_awaitable(name):
            _closed(name)
            raise Unforeseen
        return self.core.ensure_valid_runtime_type(name, abstract, place.details, info, value).name

    def checked(self, kind: GraphQLObjectType, value: Any, place: Place, path: Link) -> None:
        """Raise where a value is not of the object type that it should be."""
        if kind.is_type_of is None:
            return
        holds = kind.is_type_of(value, self.info(place, path))
        if is_awaitable(holds):
            _closed(holds)
            raise Unforeseen
        if not holds:
            raise invalid_return_type_error(kind, value, place.details)

    # Awaitables

    async def guarded(
        self, guard: Callable[[Any], None], function: Callable[..., Any], *args: Any, **named: Any
    ) -> Any:
        """Ask the guard when the field's turn comes, as a coroutine function of its own would."""
        guard(self.context)
        return await function(*args, **named)

    async def completed(self, awaitable: Awaitable[Any], place: Place, path: Link, *, nullable: bool) -> Any:
        """Wait for an object, whose own fields had to be waited for."""
        try:
            return await awaitable
        except Exception as error:
            if nullable:
                return self.caught(error, place, path)
            raise self.located(error, place, path) from error

    async def gathered(self, out: Any, waiting: list[tuple[Any, Any]]) -> Any:
        """Wait for all that an object or list has to wait for, concurrently; put it in its place."""
        if len(waiting) == 1:
            key, awaitable = waiting[0]
            out[key] = await awaitable
        else:
            results = await gather_with_cancel(*(awaitable for _, awaitable in waiting))
            for (key, _), result in zip(waiting, results, strict=True):
                out[key] = result
        return out

    def items(self, values: Any, item: Callable[..., Any], path: Link) -> Any:
        """Complete a list whose items may have to be waited for."""
        out: list[Any] = []
        waiting: list[tuple[int, Any]] = []
        try:
            for index, value in enumerate(values):
                completed = item(value, (path, index), self)
                if completed.__class__ is CoroutineType:
                    waiting.append((index, completed))
                out.append(completed)
        except Exception:
            settle(waiting)
            raise
        return self.gathered(out, waiting) if waiting else out


_unheeded: set[asyncio.Future[Any]] = set()


def settle(waiting: list[tuple[Any, Any]]) -> None:
    """Let run, unheeded, what was begun beside a field that failed."""
    if not waiting:
        return
    future = asyncio.gather(*(awaitable for _, awaitable in waiting), return_exceptions=True)
    _unheeded.add(future)
    future.add_done_callback(_unheeded.discard)


def _closed(awaitable: Any) -> None:
    if isinstance(awaitable, Coroutine):
        awaitable.close()


def refused_awaitable(value: Any) -> None:
    """Raise Unforeseen where a value would have to be awaited here."""
    if is_awaitable(value):
        _closed(value)
        raise Unforeseen


def is_null(value: Any) -> bool:
    """Say whether a value completes as null; raise it where it is an exception."""
    if isinstance(value, Exception):
        raise value
    refused_awaitable(value)
    return value is None or value is Undefined


def list_function(place: Place, *, nullable: bool) -> Callable[[Any], Any]:
    """Return the function for what is no list and no tuple where a list should be: something iterable, or None."""

    def listed(value: Any) -> Any:
        if is_null(value):
            return None if nullable else not_null(place.null_message)
        if is_async_iterable(value):
            raise Unforeseen
        if not is_iterable(value):
            raise GraphQLError(f"Expected Iterable, but did not find one for field '{place.parent}.{place.name}'.")
        return value

    return listed


def not_null(message: str) -> None:
    """Refuse null where it may not stand."""
    raise TypeError(message)
