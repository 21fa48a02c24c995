"""The Python environment in which a plug-in's session runs: our own, or another one with packages that exclude ours.

This module is imported inside those environments, too, so it needs the standard library only.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

_SHOWN: Final = 4
"""Requirements by which messages name an environment."""


@dataclass(frozen=True, kw_only=True)
class Environment:
    """Where sessions of a plug-in run. Without any field set it is our own interpreter.

    Attributes:
        requirements: Python packages (PEP 508) of an environment that is built for it; those that every session needs
            (``SESSION_REQUIREMENTS``) come on top.
        overrides: requirements that replace what packages say themselves, where their limits are wrong.
        python: version or path of that environment's interpreter, 3.10 or newer; None = the version of our own.
        interpreter: instead, path of an interpreter that is there already.
        image: instead, name of a container image with such an interpreter, called ``python3``.
        mounts: folders that a container sees under the same paths, read-only; for weights.
    """

    requirements: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    python: str | None = None
    interpreter: str | None = None
    image: str | None = None
    mounts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        kinds = [name for name in ("requirements", "interpreter", "image") if getattr(self, name)]
        if len(kinds) > 1:
            raise ValueError(f"give one of requirements, interpreter and image, not {' and '.join(kinds)}")
        for name, of in (("overrides", "requirements"), ("python", "requirements"), ("mounts", "image")):
            if getattr(self, name) and not getattr(self, of):
                raise ValueError(f"{name}: is of an environment with {of}")

    @property
    def is_own(self) -> bool:
        """Whether sessions run in our own interpreter."""
        return not (self.requirements or self.interpreter or self.image)

    def __str__(self) -> str:
        if self.is_own:
            return "own"
        shown, more = self.requirements[:_SHOWN], len(self.requirements) - _SHOWN
        return self.interpreter or self.image or ", ".join([*shown, *([f"{more} more"] if more > 0 else [])])

    def literals(self) -> dict[str, Any]:
        """Return the fields that are set."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items() if value}


OWN: Final = Environment()
"""Our own interpreter."""

SESSION_REQUIREMENTS: Final = ("numpy", "packaging", "pydantic>=2.7", "soundfile")
"""What the contracts of engines, metrics and recognisers import, in any version that agrees with a plug-in's packages."""


def environment_of(plugin: Any, chosen: Environment | None) -> Environment:
    """Return where a plug-in's sessions run: where the recipe says, else where the plug-in does, else in our interpreter.

    Args:
        plugin: a plug-in, which may have an attribute ``environment``.
        chosen: what the recipe says; None = nothing.
    """
    if chosen is not None:
        return chosen
    declared: Environment = getattr(plugin, "environment", OWN)
    return declared


def environment_key(environment: Environment, facts: Mapping[str, object]) -> str:
    """Return the name of a built environment: 32 hex digits of the hash of what goes into it.

    Args:
        environment: one with requirements.
        facts: what decides its content beside, such as the machine's architecture.
    """
    content = {
        "requirements": sorted(environment.requirements),
        "overrides": sorted(environment.overrides),
        "session": SESSION_REQUIREMENTS,
        "python": environment.python,
        **facts,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]
