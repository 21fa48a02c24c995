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


def is_misread(hint: Any, value: object) -> bool:
    """Return whether a value holds true or false where its type has numbers only: Python takes them for 1 and 0."""
    leaves = _leaves(hint)
    return _has_boolean(value) and leaves <= {int, float, str, type(None), type(...)} and bool(leaves & {int, float})


def _leaves(hint: Any) -> set[Any]:
    inner = get_args(hint)[:1] if get_origin(hint) is Annotated else get_args(hint)
    return set().union(*map(_leaves, inner)) if inner else {hint if isinstance(hint, type) or hint is Any else type(hint)}


def _has_boolean(value: object) -> bool:
    if isinstance(value, Mapping):
        return any(map(_has_boolean, value.values()))
    return any(map(_has_boolean, value)) if isinstance(value, list | tuple) else isinstance(value, bool)
