"""Loads YAML together with the line of every place in it, so that an error can name its line."""

from typing import Any

import yaml

from models.definitions.author_error import DefinitionError, InvalidProgramme

FILE_BYTES_MAX = 1_000_000
VALUES_MAX = 200_000
DEPTH_MAX = 50
_TOO_DEEP = f"nested more than {DEPTH_MAX} levels deep; flatten it"
Path = tuple[str | int, ...]


class _Loader(yaml.SafeLoader):
    """A SafeLoader that reports a value which cannot be constructed, such as 30 February, with its line."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Return the value of a node; raises ConstructorError if it has none."""
        try:
            return super().construct_object(node, deep)
        except ValueError as error:
            raise yaml.constructor.ConstructorError(None, None, str(error), node.start_mark) from error


class Lines:
    """The line of each place of a YAML text, by path."""

    def __init__(self, source: str) -> None:
        self.by_path: dict[tuple[str, ...], int] = {}
        root = yaml.compose(source, Loader=yaml.SafeLoader)
        if root is not None:
            self._walk(root, ())

    def _walk(self, node: yaml.Node, path: tuple[str, ...]) -> None:
        line = node.start_mark.line + 1
        if len(path) > DEPTH_MAX:
            raise InvalidProgramme([DefinitionError(line, ".".join(path[:3]), _TOO_DEEP)])
        if len(self.by_path) > VALUES_MAX:  # nested aliases let a short file expand to a huge one
            raise InvalidProgramme(
                [DefinitionError(line, "", f"the file has more than {VALUES_MAX} values; use fewer aliases")]
            )
        self.by_path.setdefault(path, line)
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                step = (*path, str(key.value))
                if step in self.by_path:
                    raise InvalidProgramme(
                        [DefinitionError(key.start_mark.line + 1, ".".join(step), "is written twice; keep one")]
                    )
                self.by_path[step] = key.start_mark.line + 1
                self._walk(value, step)
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                self._walk(value, (*path, str(index)))

    def fault(self, path: Path, message: str) -> DefinitionError:
        """Return an error at `path`, with the line of the nearest ancestor that the text contains."""
        steps = tuple(str(step) for step in path)
        known = steps
        while known not in self.by_path and known:
            known = known[:-1]
        return DefinitionError(self.by_path.get(known, 1), ".".join(steps), message)


def load_yaml(source: str) -> tuple[dict[str, Any], Lines]:
    """Return the mapping that a YAML text holds, and the lines of its places.

    Raises:
        InvalidProgramme: it is too large, not valid YAML, or not a mapping.
    """
    if len(source.encode(errors="replace")) > FILE_BYTES_MAX:
        raise InvalidProgramme(
            [DefinitionError(1, "", f"the file is larger than {FILE_BYTES_MAX} bytes; split the programme")]
        )
    try:
        lines = Lines(source)
        raw = yaml.load(source, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise InvalidProgramme(
            [DefinitionError(mark.line + 1 if mark else 1, "", f"invalid YAML: {error.problem}")]
        ) from error
    except yaml.YAMLError as error:
        raise InvalidProgramme([DefinitionError(1, "", f"invalid YAML: {error}")]) from error
    except RecursionError as error:
        raise InvalidProgramme([DefinitionError(1, "", _TOO_DEEP)]) from error
    if not isinstance(raw, dict):
        raise InvalidProgramme([DefinitionError(1, "", "the file is not a mapping; start it with `programme: KEY`")])
    return raw, lines
