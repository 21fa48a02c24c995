"""What the sections of a recipe are made of."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Options = dict[str, Any]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=64)]


class Strict(BaseModel):
    """A section: unknown keys are errors, and nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Plugin(Strict):
    """A plug-in by name, with its options."""

    name: str
    options: Options = Field(default_factory=dict)
