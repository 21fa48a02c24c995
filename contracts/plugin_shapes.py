"""What a plug-in of each kind must have: the members of its protocol, with their types and arguments.

Plug-ins of this project are checked by mypy; those of others are checked here, when they are loaded. A member to which the
protocol gives a value may be missing.
"""

import contextlib
import importlib
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, ClassVar, Final, get_origin, get_type_hints

from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError
from typing_extensions import get_protocol_members, is_protocol

SHAPES: Final[Mapping[str, str]] = {
    "kind": "flows.run.kind:Kind",
    "corpus": "corpora.reader:Corpus",
    "engine": "synth.engine:Engine",
    "metric": "scoring.metric:Metric",
    "reward": "scoring.reward:Reward",
    "judge": "annotate.models.judge:Judge",
    "task": "annotate.models.task:TaskSpec",
    "filter": "filters.verdict:Filter",
    "asr": "scoring.transcriber:Transcriber",
    "protocol": "annotate.people.store.protocol:ListeningProtocol",
    "listener_rule": "annotate.people.store.rule:ListenerRule",
    "export": "storage.export:Export",
}
"""Kind -> its protocol, or the class that its plug-ins are values of."""


ASKED: Final[Mapping[str, tuple[str, ...]]] = {"engine": ("voices", "params"), "judge": ("params",)}
"""Kind -> methods without arguments or effects, whose results are checked, too."""


_NONE: Final = object()


def class_faults(kind: str, plugin: type) -> list[str]:
    """Return what is wrong with the class of a plug-in: what is asked of it before it is configured.

    Members that the protocol has a value for are added to a class without them.
    """
    shape = _shape(kind)
    if shape is None or not is_protocol(shape):
        return [] if shape is None else [_no_value(shape)]
    if not is_dataclass(plugin):
        return ["its PLUGIN is a class, but no dataclass"]
    hints = get_type_hints(shape)
    constants = {name: hint for name, hint in hints.items() if get_origin(hint) is ClassVar or hint is ClassVar}
    _add_defaults(plugin, shape)
    options = {option.name for option in fields(plugin)}
    there = {name: hint for name, hint in constants.items() if name not in options}
    return [fault for name, hint in there.items() for fault in _constant_faults(plugin, name, hint.__args__[0])]


def value_faults(kind: str, plugin: object) -> list[str]:
    """Return what is wrong with a configured plug-in."""
    shape = _shape(kind)
    if shape is None:
        return []
    if not is_protocol(shape):
        return [] if isinstance(plugin, shape) else [_no_value(shape)]
    _add_defaults(type(plugin), shape)
    hints = get_type_hints(shape)
    faults = [fault for name in sorted(get_protocol_members(shape)) for fault in _member_faults(plugin, name, shape, hints)]
    for name in () if faults else ASKED.get(kind, ()):
        wanted = get_type_hints(getattr(shape, name))["return"]
        faults += _type_faults(f"the method {name}() must return", getattr(plugin, name)(), wanted)
    return faults


def _add_defaults(plugin: type, shape: type) -> None:
    for name in get_protocol_members(shape):
        value = inspect.getattr_static(shape, name, _NONE)
        # A property without a default has no body, and gives None.
        has_default = value.fget(None) is not None if isinstance(value, property) and value.fget else value is not _NONE
        if has_default and not inspect.isfunction(value) and not hasattr(plugin, name):
            with contextlib.suppress(TypeError):  # a type of Python's own, which is no plug-in at all
                setattr(plugin, name, value)


def _shape(kind: str) -> Any:
    module, _, name = SHAPES.get(kind, "").partition(":")
    return getattr(importlib.import_module(module), name) if module else None


def _no_value(shape: type) -> str:
    return f"PLUGIN must be a {shape.__module__}.{shape.__name__}"


def _member_faults(plugin: object, name: str, shape: type, hints: Mapping[str, Any]) -> Iterator[str]:
    declared = inspect.getattr_static(shape, name, None)  # a protocol may have members of another one
    if inspect.isfunction(declared):
        yield from _method_faults(plugin, name, declared)
    elif isinstance(declared, property):
        yield from _constant_faults(plugin, name, get_type_hints(declared.fget).get("return", Any))
    else:
        hint = hints.get(name, Any)
        yield from _constant_faults(plugin, name, hint.__args__[0] if get_origin(hint) is ClassVar else hint)


def _method_faults(plugin: object, name: str, declared: Any) -> Iterator[str]:
    wanted = inspect.signature(declared)
    arguments = list(wanted.parameters.values())[1:]
    shown = f"{name}({', '.join(argument.name for argument in arguments)})"
    method = getattr(plugin, name, None)
    if not callable(method):
        yield f"the method {shown} is missing" if method is None else f"{name} must be the method {shown}"
        return
    by_name = {argument.name: None for argument in arguments if argument.kind is argument.KEYWORD_ONLY}
    try:
        inspect.signature(method).bind(*[None] * (len(arguments) - len(by_name)), **by_name)
    except TypeError as error:
        yield f"the method {shown} takes other arguments: {error}"
    except ValueError:
        return  # a method of C code tells nothing of its arguments


def _constant_faults(plugin: object, name: str, wanted: Any) -> Iterator[str]:
    try:
        value = getattr(plugin, name)
    except AttributeError:
        yield f"the attribute {name} ({inspect.formatannotation(wanted)}) is missing"
        return
    yield from _type_faults(f"the attribute {name} must be", value, wanted)


def _type_faults(what: str, value: object, wanted: Any) -> Iterator[str]:
    if (adapter := _adapter(wanted)) is None:
        return
    try:
        adapter.validate_python(value, strict=True)
    except ValidationError:
        yield f"{what} {inspect.formatannotation(wanted)}, not {type(value).__name__} {repr(value)[:60]}"


def _adapter(wanted: Any) -> TypeAdapter[Any] | None:
    """Return what checks a type; None for types that nothing can check, such as protocols."""
    for config in (None, ConfigDict(arbitrary_types_allowed=True)):
        try:
            return TypeAdapter(wanted, config=config)
        except (PydanticUserError, TypeError, NameError):
            continue
    return None
