"""Building blocks of a recipe's sections."""

import os
import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
)

from contracts import plugins
from contracts.bounds import misread
from contracts.errors import RecipeError

Options = dict[str, Any]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=64)]


class Strict(BaseModel):
    """A section: unknown keys are errors, and values cannot change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _is_what_it_says(cls, value: Any, info: ValidationInfo) -> Any:
        if (why := misread(cls.model_fields[str(info.field_name)].annotation, value)) is not None:
            raise ValueError(why)
        return value


def _quoted(value: object) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool):
        # YAML has already read 2.10 as 2.1.
        raise ValueError(f"write it in quotes: without them YAML reads a number, {value}")  # noqa: TRY004  pydantic's own
    return value


Version = Annotated[str, BeforeValidator(_quoted), Field(min_length=1)]


class Versioned(Strict):
    """A section that may demand one version of what it names."""

    version: Version | None = Field(
        default=None,
        description="the only version that may be used, in quotes, as rows report it or a whole part of that: '2.2' for "
        "flite-2.2; null = whatever is installed. A build refuses an engine, metric or recogniser of another version, and "
        "samples made by one; what a metric of another version measured is measured again",
    )

    @model_serializer(mode="wrap")
    def _without_an_unused_version(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out an unused key, so that recipes from before it keep their literals."""
        found: dict[str, Any] = handler(self)
        if found.get("version") is None:
            found.pop("version", None)
        return found


class Plugin(Strict):
    """A plug-in by name, with its options."""

    name: str
    options: Options = Field(default_factory=dict)


class Metric(Plugin, Versioned):
    """A metric by name, with its options."""


def expanded(path: str, field: str) -> str:
    """Return a path with its $VARIABLES replaced.

    Raises:
        RecipeError: one is not set; names it.
    """
    found = os.path.expandvars(path)
    if (left := re.search(r"\$(\w+|\{\w+\})", found)) is not None:
        raise RecipeError(f"{field}: {path}: the variable {left[1].strip('{}')} is not set")
    return found


def configured(place: str, kind: str, name: str, options: Mapping[str, Any]) -> Any:
    """Return a configured plug-in.

    Raises:
        RecipeError: an unknown plug-in or a wrong option; names the place in the recipe.
    """
    try:
        return plugins.configure(kind, name, options)
    except RecipeError as error:
        raise RecipeError(f"{place}: {error}") from None
