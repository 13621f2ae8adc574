"""The run time of compiled code: the state of one execution, and the functions for rare cases."""

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

# A path is a pair of its parent path and a Place or list index, which costs next to nothing to create.
Link = tuple[Any, Any] | None


class UnexpectedValue(BaseException):
    """A value that compiled code cannot complete, such as an awaitable in a list; no error handler may catch it."""


class Place:
    """A field of an operation, with all that is needed to locate its errors and to build its info object."""

    __slots__ = ("definition", "details", "key", "name", "nodes", "null_message", "parent")

    def __init__(
        self, key: str, details: list[FieldDetails], parent: GraphQLObjectType, definition: GraphQLField
    ) -> None:
        self.key, self.details, self.parent, self.definition = key, details, parent, definition
        self.nodes: list[FieldNode] = [detail.node for detail in details]
        self.name = self.nodes[0].name.value
        self.null_message = f"Cannot return null for non-nullable field {parent}.{self.name}."


def keys_of(path: Link) -> list[str | int]:
    """Return a path in GraphQL's form: response keys and list indices."""
    keys: list[str | int] = []
    while path is not None:
        path, step = path
        keys.append(step.key if step.__class__ is Place else step)
    keys.reverse()
    return keys


class Execution:
    """One execution. `context` is the caller's; resolvers with a Method hint may get this object as their info."""

    __slots__ = ("_code", "_core", "_nulled", "build", "context", "denied", "errors", "raw", "root", "values")

    def __init__(
        self,
        context: Any,
        root: Any,
        raw: dict[str, Any],
        values: Mapping[str, Any],
        build: Callable[["Execution"], Executor[Any]],
        *,
        code: object,
    ) -> None:
        """Start an execution of `code`, which stays in memory until the execution ends."""
        self.context, self.root, self.raw, self.values, self.build = context, root, raw, values, build
        self._code = code
        self.denied = False
        self.errors: list[GraphQLError] = []
        self._nulled: set[tuple[str | int, ...]] = set()
        self._core: Executor[Any] | None = None

    # Errors, handled as by graphql-core's handle_field_error and CollectedErrors

    def located(self, error: Exception, place: Place, path: Link) -> GraphQLError:
        """Return an error with its location in the operation; `path` is that of the field or list item."""
        return located_error(error, place.nodes, keys_of(path))

    def caught(self, error: Exception, place: Place, path: Link) -> None:
        """Record an error that makes the value at `path` null, unless another error has nulled the place."""
        keys = keys_of(path)
        self.add_error(located_error(error, place.nodes, keys), tuple(keys))

    def add_error(self, error: GraphQLError, keys: tuple[str | int, ...]) -> None:
        """Record an error at a path, () for all of `data`, unless another error has nulled it or a parent."""
        if self._nulled and any(keys[:n] in self._nulled for n in range(len(keys) + 1)):
            return
        self._nulled.add(keys)
        self.errors.append(error)

    # Rare cases, left to graphql-core

    @property
    def core(self) -> Executor[Any]:
        """graphql-core's executor of the same operation, built on demand."""
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
        chain: Path | None = None
        for step in reversed(steps):
            is_place = step.__class__ is Place
            chain = Path(chain, step.key if is_place else step, step.parent.name if is_place else None)
        return self.core.build_resolve_info(place.definition, place.nodes, place.parent, chain)  # type: ignore[arg-type]

    def arguments(self, place: Place) -> dict[str, Any]:
        """Return the arguments of a field, coerced by graphql-core."""
        return get_argument_values(place.definition, place.nodes[0], self.variable_values)

    def runtime_type(self, abstract: Any, value: Any, place: Place, path: Link) -> str:
        """Return the name of a value's object type, one of the possible types of `abstract`."""
        info = self.info(place, path)
        resolve = abstract.resolve_type or self.core.type_resolver
        name = resolve(value, info, abstract)
        if is_awaitable(name):
            _close(name)
            raise UnexpectedValue
        return self.core.ensure_valid_runtime_type(name, abstract, place.details, info, value).name

    def check_type(self, kind: GraphQLObjectType, value: Any, place: Place, path: Link) -> None:
        """Raise if `is_type_of` of the expected object type rejects the value."""
        if kind.is_type_of is None:
            return
        matches = kind.is_type_of(value, self.info(place, path))
        if is_awaitable(matches):
            _close(matches)
            raise UnexpectedValue
        if not matches:
            raise invalid_return_type_error(kind, value, place.details)

    # Awaitables

    async def call_guarded(
        self, guard: Callable[[Any], None], function: Callable[..., Any], *args: Any, **named: Any
    ) -> Any:
        """Call the guard when the coroutine runs, so that its error is the field's, then the function."""
        guard(self.context)
        return await function(*args, **named)

    async def await_object(self, awaitable: Awaitable[Any], place: Place, path: Link, *, nullable: bool) -> Any:
        """Await an object whose fields have awaitables, and handle its errors."""
        try:
            return await awaitable
        except Exception as error:
            if nullable:
                return self.caught(error, place, path)
            raise self.located(error, place, path) from error

    async def gather(self, out: Any, waiting: list[tuple[Any, Any]]) -> Any:
        """Await the pending values of an object or list concurrently; put each under its key or index in `out`."""
        if len(waiting) == 1:
            key, awaitable = waiting[0]
            out[key] = await awaitable
        else:
            results = await gather_with_cancel(*(awaitable for _, awaitable in waiting))
            for (key, _), result in zip(waiting, results, strict=True):
                out[key] = result
        return out

    def complete_list(self, values: Any, item: Callable[..., Any], path: Link) -> Any:
        """Complete a list whose items may be awaitable."""
        out: list[Any] = []
        waiting: list[tuple[int, Any]] = []
        try:
            for index, value in enumerate(values):
                completed = item(value, (path, index), self)
                if completed.__class__ is CoroutineType:
                    waiting.append((index, completed))
                out.append(completed)
        except Exception:
            detach(waiting)
            raise
        return self.gather(out, waiting) if waiting else out


_detached: set[asyncio.Future[Any]] = set()


def detach(waiting: list[tuple[Any, Any]]) -> None:
    """Let the awaitables that started beside a failed field finish in the background; ignore their results."""
    if not waiting:
        return
    future = asyncio.gather(*(awaitable for _, awaitable in waiting), return_exceptions=True)
    _detached.add(future)
    future.add_done_callback(_detached.discard)


def _close(awaitable: Any) -> None:
    if isinstance(awaitable, Coroutine):
        awaitable.close()


def refuse_awaitable(value: Any) -> None:
    """Raise UnexpectedValue if a value is awaitable."""
    if is_awaitable(value):
        _close(value)
        raise UnexpectedValue


def is_null(value: Any) -> bool:
    """Return whether a value completes as null; raise it if it is an exception."""
    if isinstance(value, Exception):
        raise value
    refuse_awaitable(value)
    return value is None or value is Undefined


def list_function(place: Place, *, nullable: bool) -> Callable[[Any], Any]:
    """Return the function for a list field's value that is neither list nor tuple: returns an iterable, or None."""

    def listed(value: Any) -> Any:
        if is_null(value):
            return None if nullable else not_null(place.null_message)
        if is_async_iterable(value):
            raise UnexpectedValue
        if not is_iterable(value):
            raise GraphQLError(f"Expected Iterable, but did not find one for field '{place.parent}.{place.name}'.")
        return value

    return listed


def not_null(message: str) -> None:
    """Raise the error of null in a non-null place."""
    raise TypeError(message)
