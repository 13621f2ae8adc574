"""The compiler: from the fields of an operation to the text of the functions that answer it.

Every function that is written takes `(v, p, x)`: a value that is not null, the path to it, and the execution. In their
text `b` is the value at hand, `a0`, `a1` … are completed fields, `w` is what has to be waited for, `k` is which field
that may not be null is at work, so that the one handler around them knows whose error it has.
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
from gateway.operations.compiler.hints import KNOWN, AsItIs, Attribute, Instances, Method
from gateway.operations.compiler.leaf import leaf_function
from gateway.operations.compiler.runtime import Place, is_null, list_function, not_null, settle

KEPT_MAX = 64
"""Selections of one shared object that are kept; past it, it begins anew."""

# What the value `b` fulfils that needs no coercion.
_AS_IT_IS = {
    GraphQLString: "b.__class__ is str",
    GraphQLID: "b.__class__ is str",
    GraphQLInt: "b.__class__ is int and -2147483648 <= b <= 2147483647",
    GraphQLFloat: "b.__class__ is float and -1.7976931348623157e308 <= b <= 1.7976931348623157e308",
    GraphQLBoolean: "b is True or b is False",
}


class NotCompilable(Exception):  # noqa: N818 - told to who asked, who has graphql-core for it
    """An operation that is left to graphql-core."""


class Selection:
    """A written function: its name, whether it may return a coroutine, whether it is of its source alone."""

    __slots__ = ("awaits", "name", "plain")

    def __init__(self, name: str, *, awaits: bool, plain: bool) -> None:
        self.name, self.awaits, self.plain = name, awaits, plain


class Lines:
    """Lines of Python with their indentation."""

    def __init__(self) -> None:
        self.text: list[str] = []
        self._depth = 0

    def add(self, *lines: str) -> None:
        """Add lines at the present depth."""
        indent = "    " * self._depth
        self.text += [indent + line for line in lines]

    def __enter__(self) -> None:
        self._depth += 1

    def __exit__(self, *_: object) -> None:
        self._depth -= 1


class Compiler:
    """Writes the functions of an operation; `core` is graphql-core's executor, with the variables of one variant."""

    def __init__(self, core: Executor[Any]) -> None:
        self._core = core
        self.variables = core.operation.variable_definitions or ()
        self._schema = core.schema
        self._text: list[str] = []
        self._names: dict[str, Any] = {
            "CoroutineType": CoroutineType,
            "is_awaitable": is_awaitable,
            "is_null": is_null,
            "not_null": not_null,
            "settle": settle,
        }
        self._selections: dict[tuple[str, tuple[int, ...]], Selection] = {}
        self.size = 0
        self.guards: dict[Any, None] = {}
        """The guards of all fields, each once."""
        """What asks beforehand for what fields need, each once."""

    def compile(self) -> Any:
        """Return the function that answers the operation.

        Raises:
            NotCompilable: there is something in it that is left to graphql-core.
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
        exec(compile(source, f"<operation {operation.name.value if operation.name else ''}>", "exec"), self._names)  # noqa: S102 - names in the text are the schema's and Python's own; values are bound
        return self._names[name]

    def bind(self, hint: str, value: Any) -> str:
        """Give a value a name in the text."""
        name = f"{hint}{len(self._names)}"
        self._names[name] = value
        return name

    def _write(self, lines: Lines) -> None:
        self._text += [*lines.text, ""]

    def _name(self, hint: str) -> str:
        """Return the name of a function that is still to be written."""
        return self.bind(hint, None)

    # Objects

    def _selection(self, kind: GraphQLObjectType, details: list[FieldDetails]) -> Selection:
        """Return the function that completes a value of an object type, written once."""
        key = (kind.name, tuple(id(detail.node) for detail in details))
        known = self._selections.get(key)
        if known is None:
            core = self._core
            collected = collect_subfields(
                self._schema, core.fragments, core.variable_values, core.operation, kind, details
            )
            if collected.new_defer_usages:
                raise NotCompilable
            known = self._kept(kind, self._function(kind, collected.grouped_field_set))
            self._selections[key] = known
        return known

    def _kept(self, kind: GraphQLObjectType, selection: Selection) -> Selection:
        """Keep what a selection comes to in the objects themselves, where they say that they can."""
        told = _told_of(kind)
        if told is None or told.kept_in is None or not selection.plain:
            return selection
        name, key = self._name("kept"), self.bind("K", object())
        lines = Lines()
        lines.add(f"def {name}(v, p, x):")
        with lines:
            lines.add(
                f"found = v.{told.kept_in}.get({key})",
                "if found is None:",
                "    errors = len(x.errors)",
                f"    found = {selection.name}(v, p, x)",
                "    if len(x.errors) == errors:",
                f"        if len(v.{told.kept_in}) >= {KEPT_MAX}:",
                f"            v.{told.kept_in}.clear()",
                f"        v.{told.kept_in}[{key}] = found",
                "return found",
            )
        self._write(lines)
        return Selection(name, awaits=False, plain=True)

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
                        lines.add("settle(w)")
                    lines.add(f"raise x.located(error, {places}[k], (p, {places}[k])) from error")
            else:
                for field in fields:
                    field.write(lines, serial=serial)
            answer = "{" + ", ".join(f"{field.key!r}: {field.result}" for field in fields) + "}"
            if awaits and not serial:
                lines.add(f"return x.gathered({answer}, w) if w else {answer}")
            else:
                lines.add(f"return {answer}")
        self._write(lines)
        return Selection(name, awaits=awaits, plain=all(field.plain for field in fields))

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
        """Write how `b` is completed as `kind`, `path` being the expression of its path; return what that may be."""
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
        message = None if nullable else self._names[place].null_message
        complete = self.bind("leaf", leaf_function(kind, message, trusted=trusted))
        as_it_is = _AS_IT_IS.get(kind)  # type: ignore[arg-type]
        told = (kind.extensions or {}).get(KNOWN)
        if isinstance(told, AsItIs):
            as_it_is = f"b.__class__ is {self.bind('Class', told.python_class)}"
        if isinstance(kind, GraphQLEnumType):
            known = self.bind("known", self._names[complete].known)
            lines.add(f"c = {known}.get(b.__class__)", "c = c.get(b) if c is not None else None")
            lines.add(f"b = c if c is not None else {complete}(b)")
            return
        conditions = ["b is not None"] if nullable else []
        if as_it_is is not None:
            conditions.append(f"not ({as_it_is})")
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
        listed = self.bind("listed", list_function(self._names[place], nullable=nullable))
        lines.add(f"if b.__class__ is not list and b.__class__ is not tuple: b = {listed}(b)")
        item, completion = self._item(kind, place, details, trusted=trusted)
        if nullable:
            lines.add("if b is not None:")
        with lines if nullable else _level():
            if completion.awaits:
                lines.add(f"b = x.items(b, {item}, {path})")
            else:
                lines.add(f"q = {path}", f"b = [{completion.shortcut}{item}(e, (q, i), x) for i, e in enumerate(b)]")
        return Completion(awaits=completion.awaits)

    def _item(
        self, kind: GraphQLOutputType, place: str, details: list[FieldDetails], *, trusted: bool
    ) -> tuple[str, "Completion"]:
        """Write the function that completes an item of a list: `p` is the path to the item itself."""
        name, lines = self._name("item"), Lines()
        nullable = not isinstance(kind, GraphQLNonNull)
        lines.add(f"def {name}(b, p, x):")
        with lines, _caught(lines, place, nullable=nullable):
            completion = self.completion(lines, kind, place, "p", details, trusted=trusted)
            if completion.awaits:
                lines.add(f"if b.__class__ is CoroutineType: return x.completed(b, {place}, p, nullable={nullable})")
            lines.add("return b")
        self._write(lines)
        shortcut = ""
        inner = kind if nullable else kind.of_type  # type: ignore[union-attr]
        if not nullable and is_object_type(inner) and not completion.awaits:
            told = _told_of(inner)
            if told is not None:
                selection = self._selection(inner, details)
                shortcut = (
                    f"{selection.name}(e, (q, i), x) if e.__class__ is {self.bind('Class', told.python_class)} else "
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
        checked = self._checked(kind, selection, place, nullable=nullable)
        told = _told_of(kind)
        if told is not None:
            known = self.bind("Class", told.python_class)
            call = f"{selection.name}(b, {path}, x) if b.__class__ is {known} else {checked}(b, {path}, x)"
        else:
            call = f"{checked}(b, {path}, x)"
        lines.add(f"b = {call}" if not nullable else f"b = ({call}) if b is not None else None")
        return Completion(awaits=selection.awaits)

    def _checked(self, kind: GraphQLObjectType, selection: Selection, place: str, *, nullable: bool) -> str:
        """Write the function for a value of which it is not known that it is of its type, or not null."""
        name, lines = self._name("checked"), Lines()
        lines.add(f"def {name}(b, p, x):")
        with lines:
            self._null(lines, place, nullable=nullable)
            if kind.is_type_of is not None:
                lines.add(f"x.checked({self.bind('Type', kind)}, b, {place}, p)")
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
        """Write how a value is completed whose type is known only when it is there."""
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
            told = _told_of(one)
            if told is not None:
                self._text.append(f"{by_class}[{self.bind('Class', told.python_class)}] = {selection.name}")
            checked = self._checked(one, selection, place, nullable=nullable)
            self._text.append(f"{by_name}[{one.name!r}] = {checked}")
        lines.add(f"b = {name}(b, {path}, x)" + (" if b is not None else None" if nullable else ""))
        return Completion(awaits=any(selection.awaits for _, selection in possible))

    # Fields

    def get_field(self, kind: GraphQLObjectType, name: str) -> GraphQLField:
        """Return the definition of a field.

        Raises:
            NotCompilable: it belongs to introspection.
        """
        definition = self._schema.get_field(kind, name)
        if definition is None or (name.startswith("__") and name != "__typename"):
            raise NotCompilable
        return definition

    def awaited(
        self, kind: GraphQLOutputType, place: str, details: list[FieldDetails], *, nullable: bool, trusted: bool
    ) -> str:
        """Write the coroutine function that waits for a field's value and completes it; `p` is the field's path."""
        name, lines = self._name("awaited"), Lines()
        lines.add(f"async def {name}(b, p, x):")
        with lines, _caught(lines, place, nullable=nullable):
            lines.add("b = await b")
            completion = self.completion(lines, kind, place, "p", details, trusted=trusted)
            if completion.awaits:
                lines.add("if b.__class__ is CoroutineType: b = await b")
            lines.add("return b")
        self._write(lines)
        return name

    def is_plain(self, kind: GraphQLOutputType, details: list[FieldDetails]) -> bool:
        """Say whether all below a value is of the value alone: of such a selection the answer can be kept."""
        inner = get_named_type(kind)
        return is_leaf_type(inner) or (is_object_type(inner) and self._selection(inner, details).plain)

    def can_await(self, kind: GraphQLOutputType, details: list[FieldDetails]) -> bool:
        """Say whether completing a value of a type may have to wait for something below."""
        inner = get_named_type(kind)
        if is_leaf_type(inner):
            return False
        kinds: Iterable[GraphQLObjectType] = (
            self._schema.get_possible_types(inner) if is_abstract_type(inner) else [cast("GraphQLObjectType", inner)]
        )
        return any(self._selection(one, details).awaits for one in kinds)


_TEXTS = (GraphQLString, GraphQLID)


class Completion:
    """How a value was completed: whether it may be a coroutine now, and the beginning of a quicker way for most."""

    __slots__ = ("awaits", "shortcut")

    def __init__(self, *, awaits: bool, shortcut: str = "") -> None:
        self.awaits, self.shortcut = awaits, shortcut


class _Field:
    """One field of a selection, on its way into the text."""

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
        self._read = None if self.constant else _how_to_read(definition)
        self._trusted = self._read is not None
        self._guard = getattr(self._read, "guard", None)
        if self._guard is not None:
            compiler.guards[self._guard] = None
        function = self._read.function if isinstance(self._read, Method) else definition.resolve
        self._async = not isinstance(self._read, Attribute) and iscoroutinefunction(function)
        self._maybe = not self._async and (
            self._read is None or (isinstance(self._read, Method) and self._read.maybe_awaitable)
        )
        if self.constant:
            self._maybe = self._async = False
        self._below = not self.constant and compiler.can_await(self._kind, details)
        self.awaits = self._async or self._maybe or self._below
        needs_execution = isinstance(self._read, Method) and self._read.takes_execution
        self.plain = self.constant is not None or (
            isinstance(self._read, Attribute | Method)
            and not (needs_execution or self.awaits)
            and self._guard is None
            and not definition.args
            and compiler.is_plain(self._kind, details)
        )

    def write(self, lines: Lines, *, serial: bool) -> None:
        """Write how the field is resolved and completed into `a…`, or begun and added to what is waited for."""
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
                lines.add(f"b = x.completed(b, {place}, (p, {place}), nullable={self.nullable})")
                self._wait(lines, serial=serial)

    def _call(self, lines: Lines, place: str) -> None:
        """Write how the value is got."""
        compiler, read = self._compiler, self._read
        arguments = call_arguments(compiler.bind, lines.add, self.place, place, compiler.variables)
        if isinstance(read, Attribute):
            self._check(lines)
            lines.add(f"b = v.{read.name}")
            return
        if read is None:
            resolve = compiler.bind("resolve", self.place.definition.resolve or default_field_resolver)
            lines.add(f"b = {resolve}(v, x.info({place}, (p, {place})){arguments})")
            return
        function = compiler.bind("method", read.function)
        told = "v, x" if read.takes_execution else "v"
        if self._guard is not None and self._async:
            guard = compiler.bind("guard", self._guard)
            lines.add(
                f"b = x.guarded({guard}, {function}, {told}{arguments}) if x.denied else {function}({told}{arguments})"
            )
            return
        self._check(lines)
        lines.add(f"b = {function}({told}{arguments})")

    def _check(self, lines: Lines) -> None:
        if self._guard is not None:
            lines.add(f"if x.denied: {self._compiler.bind('guard', self._guard)}(x.context)")


def _how_to_read(definition: GraphQLField) -> Attribute | Method | None:
    """Return what the schema tells of a field, None where it tells nothing."""
    told = (definition.extensions or {}).get(KNOWN)
    if isinstance(told, Attribute) and not told.name.isidentifier():
        raise NotCompilable
    return told if isinstance(told, Attribute | Method) else None


def _told_of(kind: Any) -> Instances | None:
    told = (kind.extensions or {}).get(KNOWN)
    return told if isinstance(told, Instances) else None


@contextmanager
def _caught(lines: Lines, place: str, *, nullable: bool) -> Iterator[None]:
    """Write what is done with an error of the lines that are written within the block; `p` is the path to it."""
    lines.add("try:")
    with lines:
        yield
    lines.add("except Exception as error:")
    with lines:
        lines.add(
            f"return x.caught(error, {place}, p)" if nullable else f"raise x.located(error, {place}, p) from error"
        )


class _level:  # noqa: N801 - reads as a statement, as `lines` does
    """A block that is none."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None
