"""The compiler: generates, from the fields of an operation, the source code of the functions that execute it.

Every generated function takes `(v, p, x)`: a non-null value, the path to it, and the execution. In the source, `b` is
the current value, `a0`, `a1` … are completed fields, `w` lists the pending awaitables, and `k` is the index of the
current non-null field, so that the one error handler knows which field failed.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from inspect import iscoroutinefunction
from types import CoroutineType
from typing import Any, cast

from graphql import (
    FieldNode,
    GraphQLAbstractType,
    GraphQLEnumType,
    GraphQLField,
    GraphQLID,
    GraphQLInt,
    GraphQLLeafType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLString,
    OperationType,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    is_object_type,
)
from graphql.execution.collect_fields import FieldDetails, GroupedFieldSet, collect_fields, collect_subfields
from graphql.execution.executor import Executor, default_field_resolver
from graphql.pyutils.is_awaitable import is_awaitable
from graphql.type import GraphQLBoolean, GraphQLFloat

from gateway.operations.compiler.arguments import call_arguments
from gateway.operations.compiler.hints import HINT, Attribute, Instances, Method, Unchanged
from gateway.operations.compiler.leaf import leaf_function
from gateway.operations.compiler.runtime import Place, detach, is_null, list_function, not_null

CACHED_SELECTIONS_MAX = 64
"""Selections cached in one shared object; beyond this number its cache is cleared."""

# The condition under which the value `b` needs no coercion.
_UNCHANGED_IF = {
    GraphQLString: "b.__class__ is str",
    GraphQLID: "b.__class__ is str",
    GraphQLInt: "b.__class__ is int and -2147483648 <= b <= 2147483647",
    GraphQLFloat: "b.__class__ is float and -1.7976931348623157e308 <= b <= 1.7976931348623157e308",
    GraphQLBoolean: "b is True or b is False",
}


class NotCompilable(Exception):  # noqa: N818 - not an error: graphql-core executes it
    """An operation that graphql-core has to execute."""


class Selection:
    """A generated function: its name, whether it may return a coroutine, whether it depends only on its source."""

    __slots__ = ("awaits", "name", "source_only")

    def __init__(self, name: str, *, awaits: bool, source_only: bool) -> None:
        self.name, self.awaits, self.source_only = name, awaits, source_only


class Lines:
    """Lines of Python; each `with` block indents by one level."""

    def __init__(self) -> None:
        self.text: list[str] = []
        self._depth = 0

    def add(self, *lines: str) -> None:
        """Add lines at the current indentation."""
        indent = "    " * self._depth
        self.text += [indent + line for line in lines]

    def __enter__(self) -> None:
        self._depth += 1

    def __exit__(self, *_: object) -> None:
        self._depth -= 1


class Compiler:
    """Generates the functions of an operation; `core` is graphql-core's executor with the variables of one variant."""

    def __init__(self, core: Executor[Any]) -> None:
        self._core = core
        self.variables = core.operation.variable_definitions or ()
        self._schema = core.schema
        self._text: list[str] = []
        self.names: dict[str, Any] = {
            "CoroutineType": CoroutineType,
            "is_awaitable": is_awaitable,
            "is_null": is_null,
            "not_null": not_null,
            "detach": detach,
        }
        """The global names of the generated functions: these functions, and the values that they use."""
        self._selections: dict[tuple[str, tuple[int, ...]], Selection] = {}
        self.size = 0
        self.guards: dict[Any, None] = {}
        """The guards of all fields, each once."""

    def compile(self) -> Any:
        """Return the function that executes the operation.

        Raises:
            NotCompilable: graphql-core has to execute it.
        """
        core, operation = self._core, self._core.operation
        root = self._schema.get_root_type(operation.operation)
        if root is None or operation.directives:
            raise NotCompilable
        collected = collect_fields(self._schema, core.fragments, core.variable_values, root, operation)
        if collected.new_defer_usages:
            raise NotCompilable
        serial = operation.operation is OperationType.MUTATION
        name = self._function(root, collected.grouped_field_set, serial=serial).name
        source = "\n".join(self._text)
        self.size = len(source)
        exec(compile(source, f"<operation {operation.name.value if operation.name else ''}>", "exec"), self.names)  # noqa: S102 - the source contains only names of the schema and of Python; values are bound
        return self.names[name]

    def bind(self, hint: str, value: Any) -> str:
        """Bind a value to a new name in the generated source; return the name."""
        name = f"{hint}{len(self.names)}"
        self.names[name] = value
        return name

    def _write(self, lines: Lines) -> None:
        self._text += [*lines.text, ""]

    def _name(self, hint: str) -> str:
        """Reserve the name of a function that is generated later."""
        return self.bind(hint, None)

    # Objects

    def _selection(self, kind: GraphQLObjectType, details: list[FieldDetails]) -> Selection:
        """Return the function that completes a value of an object type; it is generated once."""
        key = (kind.name, tuple(id(detail.node) for detail in details))
        known = self._selections.get(key)
        if known is None:
            core = self._core
            collected = collect_subfields(
                self._schema, core.fragments, core.variable_values, core.operation, kind, details
            )
            if collected.new_defer_usages:
                raise NotCompilable
            known = self._cached_in_object(kind, self._function(kind, collected.grouped_field_set))
            self._selections[key] = known
        return known

    def _cached_in_object(self, kind: GraphQLObjectType, selection: Selection) -> Selection:
        """Cache the results of a selection in the objects themselves, if their hint names a `cache_attribute`."""
        hint = _instances_hint(kind)
        if hint is None or hint.cache_attribute is None or not selection.source_only:
            return selection
        name, key = self._name("cached"), self.bind("K", object())
        lines = Lines()
        lines.add(f"def {name}(v, p, x):")
        with lines:
            lines.add(
                f"found = v.{hint.cache_attribute}.get({key})",
                "if found is None:",
                "    errors = len(x.errors)",
                f"    found = {selection.name}(v, p, x)",
                "    if len(x.errors) == errors:",
                f"        if len(v.{hint.cache_attribute}) >= {CACHED_SELECTIONS_MAX}:",
                f"            v.{hint.cache_attribute}.clear()",
                f"        v.{hint.cache_attribute}[{key}] = found",
                "return found",
            )
        self._write(lines)
        return Selection(name, awaits=False, source_only=True)

    def _function(self, kind: GraphQLObjectType, groups: GroupedFieldSet, *, serial: bool = False) -> Selection:
        fields = [
            _Field(self, number, key, details, kind)
            for number, (key, details) in enumerate(groups.items())
            if self._schema.get_field(kind, details[0].node.name.value) is not None
        ]
        awaits = serial or any(field.awaits for field in fields)
        name, lines = self._name("serial" if serial else "select"), Lines()
        strict = any(not field.nullable for field in fields if not field.constant)
        places = self.bind("PLACES", tuple(field.place for field in fields))
        lines.add(f"{'async ' if serial else ''}def {name}(v, p, x):")
        with lines:
            if awaits and not serial:
                lines.add("w = []")
            if strict:
                lines.add("k = 0", "try:")
                with lines:
                    for field in fields:
                        field.write(lines, serial=serial)
                lines.add("except Exception as error:")
                with lines:
                    if awaits and not serial:
                        lines.add("detach(w)")
                    lines.add(f"raise x.located(error, {places}[k], (p, {places}[k])) from error")
            else:
                for field in fields:
                    field.write(lines, serial=serial)
            answer = "{" + ", ".join(f"{field.key!r}: {field.result}" for field in fields) + "}"
            if awaits and not serial:
                lines.add(f"return x.gather({answer}, w) if w else {answer}")
            else:
                lines.add(f"return {answer}")
        self._write(lines)
        return Selection(name, awaits=awaits, source_only=all(field.source_only for field in fields))

    # Values

    def completion(
        self,
        lines: Lines,
        kind: GraphQLOutputType,
        place: str,
        path: str,
        details: list[FieldDetails],
        *,
        trusted: bool,
    ) -> "Completion":
        """Generate the completion of `b` as `kind`; `path` is the expression of its path."""
        nullable = not isinstance(kind, GraphQLNonNull)
        inner: Any = kind if nullable else kind.of_type  # type: ignore[union-attr]
        if is_leaf_type(inner):
            self._leaf(lines, inner, place, nullable=nullable, trusted=trusted)
            return Completion(awaits=False)
        if isinstance(inner, GraphQLList):
            return self._list(lines, inner.of_type, place, path, details, nullable=nullable, trusted=trusted)
        if is_object_type(inner):
            return self._object(lines, inner, place, path, details, nullable=nullable)
        if is_abstract_type(inner):
            return self._abstract(lines, inner, place, path, details, nullable=nullable)
        raise NotCompilable

    def _leaf(self, lines: Lines, kind: GraphQLLeafType, place: str, *, nullable: bool, trusted: bool) -> None:
        message = None if nullable else self.names[place].null_message
        complete = self.bind("leaf", leaf_function(kind, message, trusted=trusted))
        unchanged_if = _UNCHANGED_IF.get(kind)  # type: ignore[arg-type]
        hint = (kind.extensions or {}).get(HINT)
        if isinstance(hint, Unchanged):
            unchanged_if = f"b.__class__ is {self.bind('Class', hint.python_class)}"
        if isinstance(kind, GraphQLEnumType):
            known = self.bind("known", self.names[complete].known)
            lines.add(f"c = {known}.get(b.__class__)", "c = c.get(b) if c is not None else None")
            lines.add(f"b = c if c is not None else {complete}(b)")
            return
        conditions = ["b is not None"] if nullable else []
        if unchanged_if is not None:
            conditions.append(f"not ({unchanged_if})")
        if conditions:
            lines.add(f"if {' and '.join(conditions)}: b = {complete}(b)")
        else:
            lines.add(f"b = {complete}(b)")

    def _list(
        self,
        lines: Lines,
        kind: GraphQLOutputType,
        place: str,
        path: str,
        details: list[FieldDetails],
        *,
        nullable: bool,
        trusted: bool,
    ) -> "Completion":
        listed = self.bind("listed", list_function(self.names[place], nullable=nullable))
        lines.add(f"if b.__class__ is not list and b.__class__ is not tuple: b = {listed}(b)")
        item, completion = self._item(kind, place, details, trusted=trusted)
        if nullable:
            lines.add("if b is not None:")
        with lines if nullable else _no_indent():
            if completion.awaits:
                lines.add(f"b = x.complete_list(b, {item}, {path})")
            else:
                lines.add(f"q = {path}", f"b = [{completion.shortcut}{item}(e, (q, i), x) for i, e in enumerate(b)]")
        return Completion(awaits=completion.awaits)

    def _item(
        self, kind: GraphQLOutputType, place: str, details: list[FieldDetails], *, trusted: bool
    ) -> tuple[str, "Completion"]:
        """Generate the function that completes a list item; `p` is the path to the item."""
        name, lines = self._name("item"), Lines()
        nullable = not isinstance(kind, GraphQLNonNull)
        lines.add(f"def {name}(b, p, x):")
        with lines, _error_handler(lines, place, nullable=nullable):
            completion = self.completion(lines, kind, place, "p", details, trusted=trusted)
            if completion.awaits:
                lines.add(f"if b.__class__ is CoroutineType: return x.await_object(b, {place}, p, nullable={nullable})")
            lines.add("return b")
        self._write(lines)
        shortcut = ""
        inner = kind if nullable else kind.of_type  # type: ignore[union-attr]
        if not nullable and is_object_type(inner) and not completion.awaits:
            hint = _instances_hint(inner)
            if hint is not None:
                selection = self._selection(inner, details)
                shortcut = (
                    f"{selection.name}(e, (q, i), x) if e.__class__ is {self.bind('Class', hint.python_class)} else "
                )
        elif inner in _TEXTS:
            shortcut = "e if e.__class__ is str else "
        return name, Completion(awaits=completion.awaits, shortcut=shortcut)

    def _object(
        self,
        lines: Lines,
        kind: GraphQLObjectType,
        place: str,
        path: str,
        details: list[FieldDetails],
        *,
        nullable: bool,
    ) -> "Completion":
        selection = self._selection(kind, details)
        checked = self._checked_selection(kind, selection, place, nullable=nullable)
        hint = _instances_hint(kind)
        if hint is not None:
            known = self.bind("Class", hint.python_class)
            call = f"{selection.name}(b, {path}, x) if b.__class__ is {known} else {checked}(b, {path}, x)"
        else:
            call = f"{checked}(b, {path}, x)"
        lines.add(f"b = {call}" if not nullable else f"b = ({call}) if b is not None else None")
        return Completion(awaits=selection.awaits)

    def _checked_selection(self, kind: GraphQLObjectType, selection: Selection, place: str, *, nullable: bool) -> str:
        """Generate the function for a value that may be null or of a wrong type."""
        name, lines = self._name("checked"), Lines()
        lines.add(f"def {name}(b, p, x):")
        with lines:
            self._null(lines, place, nullable=nullable)
            if kind.is_type_of is not None:
                lines.add(f"x.check_type({self.bind('Type', kind)}, b, {place}, p)")
            lines.add(f"return {selection.name}(b, p, x)")
        self._write(lines)
        return name

    def _null(self, lines: Lines, place: str, *, nullable: bool) -> None:
        lines.add("if is_null(b): " + ("return None" if nullable else f"not_null({place}.null_message)"))

    def _abstract(
        self,
        lines: Lines,
        kind: GraphQLAbstractType,
        place: str,
        path: str,
        details: list[FieldDetails],
        *,
        nullable: bool,
    ) -> "Completion":
        """Generate the completion of a value whose object type is known only at run time."""
        possible = [(one, self._selection(one, details)) for one in self._schema.get_possible_types(kind)]
        by_name = self.bind("by_name", {})
        by_class = self.bind("by_class", {})
        name, choice = self._name("abstract"), Lines()
        choice.add(f"def {name}(b, p, x):")
        with choice:
            choice.add(f"known = {by_class}.get(b.__class__)", "if known is not None: return known(b, p, x)")
            self._null(choice, place, nullable=nullable)
            choice.add(f"return {by_name}[x.runtime_type({self.bind('Type', kind)}, b, {place}, p)](b, p, x)")
        self._write(choice)
        for one, selection in possible:
            hint = _instances_hint(one)
            if hint is not None:
                self._text.append(f"{by_class}[{self.bind('Class', hint.python_class)}] = {selection.name}")
            checked = self._checked_selection(one, selection, place, nullable=nullable)
            self._text.append(f"{by_name}[{one.name!r}] = {checked}")
        lines.add(f"b = {name}(b, {path}, x)" + (" if b is not None else None" if nullable else ""))
        return Completion(awaits=any(selection.awaits for _, selection in possible))

    # Fields

    def get_field(self, kind: GraphQLObjectType, name: str) -> GraphQLField:
        """Return the definition of a field.

        Raises:
            NotCompilable: it is an introspection field.
        """
        definition = self._schema.get_field(kind, name)
        if definition is None or (name.startswith("__") and name != "__typename"):
            raise NotCompilable
        return definition

    def awaited(
        self, kind: GraphQLOutputType, place: str, details: list[FieldDetails], *, nullable: bool, trusted: bool
    ) -> str:
        """Generate the coroutine function that awaits a field's value and completes it; `p` is the field's path."""
        name, lines = self._name("awaited"), Lines()
        lines.add(f"async def {name}(b, p, x):")
        with lines, _error_handler(lines, place, nullable=nullable):
            lines.add("b = await b")
            completion = self.completion(lines, kind, place, "p", details, trusted=trusted)
            if completion.awaits:
                lines.add("if b.__class__ is CoroutineType: b = await b")
            lines.add("return b")
        self._write(lines)
        return name

    def is_source_only(self, kind: GraphQLOutputType, details: list[FieldDetails]) -> bool:
        """Return whether a selection depends only on its value, so that its result can be cached."""
        inner = get_named_type(kind)
        return is_leaf_type(inner) or (is_object_type(inner) and self._selection(inner, details).source_only)

    def can_await(self, kind: GraphQLOutputType, details: list[FieldDetails]) -> bool:
        """Return whether the completion of a value may be asynchronous."""
        inner = get_named_type(kind)
        if is_leaf_type(inner):
            return False
        kinds: Iterable[GraphQLObjectType] = (
            self._schema.get_possible_types(inner) if is_abstract_type(inner) else [cast("GraphQLObjectType", inner)]
        )
        return any(self._selection(one, details).awaits for one in kinds)


_TEXTS = (GraphQLString, GraphQLID)


class Completion:
    """A generated completion: whether it may yield a coroutine, and the start of an expression for the common case."""

    __slots__ = ("awaits", "shortcut")

    def __init__(self, *, awaits: bool, shortcut: str = "") -> None:
        self.awaits, self.shortcut = awaits, shortcut


class _Field:
    """One field of a selection, and the generator of its source."""

    def __init__(
        self, compiler: Compiler, number: int, key: str, details: list[FieldDetails], parent: GraphQLObjectType
    ) -> None:
        self._compiler, self._number, self._details = compiler, number, details
        self.key = key
        self._node: FieldNode = details[0].node
        if any(detail.fragment_variable_values is not None for detail in details):
            raise NotCompilable
        definition = compiler.get_field(parent, self._node.name.value)
        self.place = Place(key, details, parent, definition)
        self._kind = definition.type
        self.nullable = not isinstance(self._kind, GraphQLNonNull)
        self.constant = repr(parent.name) if self._node.name.value == "__typename" else None
        self.result = self.constant or f"a{number}"
        self._hint = None if self.constant else _field_hint(definition)
        self._trusted = self._hint is not None
        self._guard = getattr(self._hint, "guard", None)
        if self._guard is not None:
            compiler.guards[self._guard] = None
        function = self._hint.function if isinstance(self._hint, Method) else definition.resolve
        self._async = not isinstance(self._hint, Attribute) and iscoroutinefunction(function)
        self._maybe = not self._async and (
            self._hint is None or (isinstance(self._hint, Method) and self._hint.maybe_awaitable)
        )
        if self.constant:
            self._maybe = self._async = False
        self._below = not self.constant and compiler.can_await(self._kind, details)
        self.awaits = self._async or self._maybe or self._below
        needs_execution = isinstance(self._hint, Method) and self._hint.takes_execution
        self.source_only = self.constant is not None or (
            isinstance(self._hint, Attribute | Method)
            and not (needs_execution or self.awaits)
            and self._guard is None
            and not definition.args
            and compiler.is_source_only(self._kind, details)
        )

    def write(self, lines: Lines, *, serial: bool) -> None:
        """Generate the code that resolves and completes the field into `a…`, or adds its awaitable to `w`."""
        if self.constant is not None:
            return
        place = self._compiler.bind("P", self.place)
        if not self.nullable:
            lines.add(f"k = {self._number}")
            self._resolve(lines, place, serial=serial)
            return
        lines.add("try:")
        with lines:
            self._resolve(lines, place, serial=serial)
        lines.add("except Exception as error:", f"    a{self._number} = x.caught(error, {place}, (p, {place}))")

    def _resolve(self, lines: Lines, place: str, *, serial: bool) -> None:
        if self._async:
            self._call(lines, place)
            lines.add(f"b = {self._awaited(place)}(b, (p, {place}), x)")
            self._wait(lines, serial=serial)
        elif self._maybe:
            self._call(lines, place)
            lines.add("if is_awaitable(b):")
            with lines:
                lines.add(f"b = {self._awaited(place)}(b, (p, {place}), x)")
                self._wait(lines, serial=serial)
            lines.add("else:")
            with lines:
                self._complete(lines, place, serial=serial)
        else:
            self._call(lines, place)
            self._complete(lines, place, serial=serial)
        lines.add(f"a{self._number} = b")

    def _wait(self, lines: Lines, *, serial: bool) -> None:
        lines.add("b = await b" if serial else f"w.append(({self.key!r}, b))")

    def _awaited(self, place: str) -> str:
        return self._compiler.awaited(self._kind, place, self._details, nullable=self.nullable, trusted=self._trusted)

    def _complete(self, lines: Lines, place: str, *, serial: bool) -> None:
        completion = self._compiler.completion(
            lines, self._kind, place, f"(p, {place})", self._details, trusted=self._trusted
        )
        if completion.awaits:
            lines.add("if b.__class__ is CoroutineType:")
            with lines:
                lines.add(f"b = x.await_object(b, {place}, (p, {place}), nullable={self.nullable})")
                self._wait(lines, serial=serial)

    def _call(self, lines: Lines, place: str) -> None:
        """Generate the code that reads or calls the field's value into `b`."""
        compiler, hint = self._compiler, self._hint
        arguments = call_arguments(compiler.bind, lines.add, self.place, place, compiler.variables)
        if isinstance(hint, Attribute):
            self._check(lines)
            lines.add(f"b = v.{hint.name}")
            return
        if hint is None:
            resolve = compiler.bind("resolve", self.place.definition.resolve or default_field_resolver)
            lines.add(f"b = {resolve}(v, x.info({place}, (p, {place})){arguments})")
            return
        function = compiler.bind("method", hint.function)
        first = "v, x" if hint.takes_execution else "v"
        if self._guard is not None and self._async:
            guard = compiler.bind("guard", self._guard)
            inputs = f"{first}{arguments}"
            lines.add(f"b = x.call_guarded({guard}, {function}, {inputs}) if x.denied else {function}({inputs})")
            return
        self._check(lines)
        lines.add(f"b = {function}({first}{arguments})")

    def _check(self, lines: Lines) -> None:
        if self._guard is not None:
            lines.add(f"if x.denied: {self._compiler.bind('guard', self._guard)}(x.context)")


def _field_hint(definition: GraphQLField) -> Attribute | Method | None:
    """Return the hint of a field, None if it has none."""
    hint = (definition.extensions or {}).get(HINT)
    if isinstance(hint, Attribute) and not hint.name.isidentifier():
        raise NotCompilable
    return hint if isinstance(hint, Attribute | Method) else None


def _instances_hint(kind: Any) -> Instances | None:
    hint = (kind.extensions or {}).get(HINT)
    return hint if isinstance(hint, Instances) else None


@contextmanager
def _error_handler(lines: Lines, place: str, *, nullable: bool) -> Iterator[None]:
    """Generate an error handler around the lines generated within the block; `p` is the path of the value."""
    lines.add("try:")
    with lines:
        yield
    lines.add("except Exception as error:")
    with lines:
        lines.add(
            f"return x.caught(error, {place}, p)" if nullable else f"raise x.located(error, {place}, p) from error"
        )


class _no_indent:  # noqa: N801 - reads as a statement, as `lines` does
    """A block without indentation."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None
