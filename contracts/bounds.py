"""Types for the numeric settings of plug-ins and recipes: each says between what its values make sense.

A value outside is refused when a recipe is read, by the name of its field. The bounds are generous: they keep out slips (a zero
too many, minus one for "no limit", NaN) and what arithmetic and libraries choke on, not unusual wishes.
"""

from collections.abc import Mapping
from typing import Annotated, Any, get_args, get_origin

from pydantic import Field

Count = Annotated[int, Field(ge=1, le=1_000_000)]
"""How many of something, at least one."""

BatchSize = Annotated[int, Field(ge=1, le=4096)]
"""How many requests an engine or model takes at once."""

Seconds = Annotated[float, Field(gt=0, le=86_400)]
"""A time limit or length, up to a day."""

Pause = Annotated[float, Field(ge=0, le=3600)]
"""A time that may be none."""

Share = Annotated[float, Field(ge=0, le=1)]
"""A share of something, or a chance."""

Factor = Annotated[float, Field(ge=0.1, le=10)]
"""A factor on speed or length."""

Temperature = Annotated[float, Field(ge=0, le=2)]
"""How freely a model draws; 0 = always the likeliest."""

TopP = Annotated[float, Field(gt=0, le=1)]
"""Share of the likelihood from which a model draws."""

Gpus = Annotated[float, Field(gt=0, le=64)]
"""GPUs, or a share of one."""

Rate = Annotated[float, Field(gt=0, le=1e9)]
"""Requests or tokens per minute."""

Megabytes = Annotated[float, Field(gt=0, le=100_000)]
"""Size of what is sent or written at once."""

Tokens = Annotated[int, Field(ge=1, le=10_000_000)]
"""Length of a reply."""

UsdPerMillion = Annotated[float, Field(ge=0, le=1_000_000)]
"""Price of a million tokens."""


def misread(hint: Any, value: object) -> str | None:
    """Return what to write where pydantic would make something of a value that is not what the file says; None = nothing.

    It takes true for 1, ``1_000`` for 1000 and ``yes`` for true; what is recorded of an option is what the file says.
    """
    leaves = _leaves(hint) - {type(None), type(...)}
    if leaves & {int, float} and leaves <= {int, float, str} and _has_boolean(value):
        return "a number is needed, not true or false"
    if leaves <= {int, float} and isinstance(value, str) and "_" in value:
        return f"write the number {value!r} without _"
    return f"write true or false, not {value!r}" if leaves == {bool} and isinstance(value, str) else None


def _leaves(hint: Any) -> set[Any]:
    inner = get_args(hint)[:1] if get_origin(hint) is Annotated else get_args(hint)
    return set().union(*map(_leaves, inner)) if inner else {hint if isinstance(hint, type) or hint is Any else type(hint)}


def _has_boolean(value: object) -> bool:
    if isinstance(value, Mapping):
        return any(map(_has_boolean, value.values()))
    return any(map(_has_boolean, value)) if isinstance(value, list | tuple) else isinstance(value, bool)
