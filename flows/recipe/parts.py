"""Building blocks of a recipe's sections."""

import os
import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from packaging.requirements import InvalidRequirement, Requirement
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from contracts import plugins
from contracts.bounds import misread
from contracts.emotions import misspelt
from contracts.errors import RecipeError
from contracts.ids import canonical_json
from contracts.plugin_environment import OWN, Environment
from synth.clip_limits import ClipLimit

Options = dict[str, Any]
NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
Name = Annotated[str, Field(pattern=NAME, max_length=64)]


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


_OWN: Final = "own"


class EnvironmentSection(Strict):
    """The Python environment of an engine's or model's workers: one of requirements, interpreter and image."""

    requirements: list[str] = Field(
        default_factory=list, description="packages of an environment that is built for it (PEP 508)"
    )
    overrides: list[str] = Field(
        default_factory=list, description="requirements in place of what packages say themselves, where their limits are wrong"
    )
    python: Version | None = Field(default=None, description="its Python, 3.10 or newer, in quotes; null = as ours")
    interpreter: str | None = Field(default=None, description="path of an interpreter that is there; $VARIABLES are expanded")
    image: str | None = Field(default=None, description="container image with a program python3, run by podman or docker")
    mounts: list[str] = Field(default_factory=list, description="folders that a container sees, read-only, such as weights")

    @field_validator("requirements", "overrides")
    @classmethod
    def _are_requirements(cls, lines: list[str]) -> list[str]:
        for line in lines:
            try:
                Requirement(line)
            except InvalidRequirement as error:
                raise ValueError(f"{line!r} is no requirement like numpy==1.26.4: {str(error).splitlines()[0]}") from None
        return lines

    @model_validator(mode="after")
    def _is_one_environment(self) -> Self:
        if not (self.requirements or self.interpreter or self.image):
            raise ValueError("give one of requirements, interpreter and image, or write environment: own")
        if self.interpreter and not self.interpreter.startswith(("/", "$")):
            raise ValueError(f"interpreter: {self.interpreter} must be an absolute path")
        self.environment()  # raises an error that says what does not fit
        return self

    def environment(self) -> Environment:
        """Return the environment."""
        return Environment(
            requirements=tuple(self.requirements),
            overrides=tuple(self.overrides),
            python=self.python,
            interpreter=None if self.interpreter is None else expanded(self.interpreter, "interpreter"),
            image=self.image,
            mounts=tuple(expanded(mount, "mounts") for mount in self.mounts),
        )


class Placed(Strict):
    """A section that may say in which environment its engine or model runs."""

    environment: Literal["own"] | EnvironmentSection | None = Field(
        default=None,
        union_mode="left_to_right",
        description="where its workers run: own = in the interpreter of this program; null = where the plug-in says",
    )

    @field_validator("environment", mode="before")
    @classmethod
    def _is_own_or_a_section(cls, value: Any) -> Any:
        """Read a mapping at once, so that its errors are those of the section and not of the word own."""
        if isinstance(value, str) and value != _OWN:
            raise ValueError(f"write own, or requirements, interpreter or image, not {value!r}")
        return EnvironmentSection.model_validate(value) if isinstance(value, Mapping) else value

    @property
    def chosen_environment(self) -> Environment | None:
        """The environment; None = the section does not say."""
        if self.environment is None:
            return None
        return self.environment.environment() if isinstance(self.environment, EnvironmentSection) else OWN


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


def _is_spelt_right(label: str) -> str:
    if (known := misspelt(label)) is not None:
        raise ValueError(f"{label!r} is no emotion; did you mean {known!r}?")
    return label


Emotion = Annotated[Name, AfterValidator(_is_spelt_right)]
"""A word for an emotion: a known one, or one of a corpus's own that is not nearly a known one."""


class Plugin(Strict):
    """A plug-in by name, with its options."""

    name: str
    options: Options = Field(default_factory=dict)


class MetricSection(Plugin, Versioned, Placed):
    """A metric by name, with its options. The environment is that of its model: for error rates, of the recogniser."""

    @model_serializer(mode="wrap")
    def _without_unused_keys(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out an unused key, so that recipes from before it keep their literals; where it runs decides nothing."""
        found: dict[str, Any] = handler(self)
        found.pop("environment", None)
        if found.get("version") is None:
            found.pop("version", None)
        return found


class LimitSection(Plugin):
    """What a clip may measure at most: a metric by name with its options, its value that counts, and the limit."""

    value: str = Field(description="value of the metric")
    at_most: float = Field(ge=-1e6, le=1e6, description="largest value of a good clip")

    @property
    def limit(self) -> ClipLimit:
        """The limit as engines' jobs take it."""
        return ClipLimit(metric=self.name, options=canonical_json(self.options), value=self.value, at_most=self.at_most)


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
