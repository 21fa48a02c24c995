"""YAML that people write: read strictly, so that what a file says is what it is taken for.

Words are read by YAML 1.2 (core schema, 10.3.2), not by PyYAML's 1.1: only true and false are booleans, so ``no`` is Norwegian;
``010`` is ten and ``1:00`` a text. Beyond YAML's own rules: a key stands once in its mapping (PyYAML lets the last one win in
silence), numbers are finite, texts can be written as UTF-8, a date is the text that was typed, and neither nesting nor aliases
make a small file a large value.
"""

import math
import os
import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any, Final

import yaml

from contracts.errors import RecipeError

_MOST_BYTES: Final = 1 << 20
_DEEPEST: Final = 50
_MOST_VALUES: Final = 100_000
_NO_KEY: Final = ("tag:yaml.org,2002:merge", "tag:yaml.org,2002:value")


class _Loader(yaml.SafeLoader):
    """A safe loader with the rules above; every problem is a ``YAMLError`` with its line."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0
        self._sizes: dict[int, int] = {}  # id of a node -> values in it, aliases written out

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
        self._depth += 1
        if self._depth > _DEEPEST:
            raise yaml.MarkedYAMLError(problem=f"nested more than {_DEEPEST} deep", problem_mark=mark)
        is_alias = self.check_event(yaml.AliasEvent)
        node = super().compose_node(parent, index)
        self._depth -= 1
        if is_alias and id(node) not in self._sizes:
            raise yaml.MarkedYAMLError(problem="an alias refers to what it is part of", problem_mark=mark)
        if node is not None and not is_alias:
            self._sizes[id(node)] = size = self._size(node)
            if size > _MOST_VALUES:
                raise yaml.MarkedYAMLError(problem=f"more than {_MOST_VALUES} values with all aliases", problem_mark=mark)
        return node

    def _size(self, node: yaml.Node) -> int:
        if isinstance(node, yaml.MappingNode):
            children = [child for pair in node.value for child in pair]
        else:
            children = node.value if isinstance(node, yaml.SequenceNode) else []
        return 1 + sum(self._sizes[id(child)] for child in children)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            value = super().construct_object(node, deep)
        except (ValueError, LookupError, TypeError, AttributeError):  # PyYAML's own constructors, of what a tag promises
            kind = node.tag.removeprefix("tag:yaml.org,2002:")
            raise yaml.MarkedYAMLError(problem=f"{node.value!r:.80} is no {kind}", problem_mark=node.start_mark) from None
        if isinstance(value, float) and not math.isfinite(value):
            raise yaml.MarkedYAMLError(problem=f"{node.value} is no number to work with", problem_mark=node.start_mark)
        if isinstance(value, str) and not _is_text(value):
            problem = "a text with NUL or half a surrogate pair"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
        return value

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        lines: dict[Hashable, int] = {}
        for key_node, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if key_node.tag in _NO_KEY:
                continue  # what is merged in may be overridden: that is what merging is for
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable):
                line = key_node.start_mark.line + 1
                if key in lines:
                    problem = f"key {key!r} stands twice, in line {lines[key]} and again"
                    raise yaml.MarkedYAMLError(problem=problem, problem_mark=key_node.start_mark)
                lines[key] = line
        return super().construct_mapping(node, deep)


_TAG: Final = "tag:yaml.org,2002:"
_WORDS: Final = {
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    "float": (
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
}
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag.removeprefix(_TAG) not in (*_WORDS, "timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _name, (_pattern, _first) in _WORDS.items():
    _Loader.add_implicit_resolver(f"{_TAG}{_name}", re.compile(f"^(?:{_pattern})$"), list(_first))


def _int(loader: _Loader, node: yaml.ScalarNode) -> int:
    text = loader.construct_scalar(node)
    return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))


_Loader.add_constructor(f"{_TAG}int", _int)


def _is_text(value: str) -> bool:
    return "\0" not in value and not any("\ud800" <= character <= "\udfff" for character in value)


def read_yaml(path: str | os.PathLike[str], what: str) -> dict[Any, Any]:
    """Return the mapping that a file holds.

    Args:
        path: the file.
        what: what it should be, for the message, such as ``a recipe``.

    Raises:
        RecipeError: the file cannot be read, is no YAML, breaks one of the rules above, or is no mapping; names the file and,
            where there is one, the line.
    """
    file = Path(path)
    try:
        with file.open("rb") as handle:
            data = handle.read(_MOST_BYTES + 1)
    except OSError as error:
        raise RecipeError(f"{file}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # NUL in a path
        raise RecipeError(f"{str(file)!r}: cannot be read: {error}") from error
    if len(data) > _MOST_BYTES:
        raise RecipeError(f"{file}: no valid YAML: {what} has at most {_MOST_BYTES >> 20} MiB; is this the right file?")
    try:
        raw = yaml_value(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise RecipeError(
            f"{file}: no valid YAML: line {line} has byte 0x{data[error.start]:02x}, which is no UTF-8; save it as UTF-8 text"
        ) from error
    except RecipeError as error:
        raise RecipeError(f"{file}: no valid YAML: {error}") from error
    if raw is None:
        raise RecipeError(f"{file}: {what} is a YAML mapping, this is empty")
    if not isinstance(raw, dict):
        raise RecipeError(f"{file}: {what} is a YAML mapping, this is {type(raw).__name__}")
    return raw


def yaml_value(text: str) -> Any:
    """Return the value that a text says, by the rules above.

    Raises:
        RecipeError: it is no YAML or breaks a rule; names the line.
    """
    try:
        loader = _Loader(text)
        return loader.get_single_data()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        context = f"{error.context} " if error.context and error.problem_mark else ""
        told = " ".join(f"{context}{error.problem or ''}".split())
        raise RecipeError(f"line {mark.line + 1}, column {mark.column + 1}: {told}" if mark else told) from None
    except yaml.YAMLError as error:  # characters that no YAML has
        raise RecipeError(" ".join(str(error).split())) from None
