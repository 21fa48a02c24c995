"""Tasks: what a judge is asked, in which format it must answer, and what an answer means.

One task is one file in ``annotate/tasks``, whose ``PLUGIN`` is a ``TaskSpec``. Prompts are Jinja templates in
``annotate/prompts``; their version is the hash of their text, so that a changed word is a new version.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from contracts.errors import DataError
from contracts.ids import digest

if TYPE_CHECKING:
    import jinja2

PROMPTS: Final = Path(__file__).parent / "prompts"
_FOLLOW_UP: Final = "again.en.jinja"
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")
_BRACKETS: Final = str.maketrans({"<": "\u2039", ">": "\u203a"})


class ParseError(DataError):
    """A reply does not have the format that its task asks for.

    Attributes:
        reason: why, as a counted word.
        message: what exactly is wrong and where, for a person and for the repair request.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


@dataclass(frozen=True, kw_only=True)
class Dimension:
    """One thing that a task scores.

    Attributes:
        name: exact name in prompts, replies and tables (UniSRM, Table 8).
        key: short name for code.
    """

    name: str
    key: str


@dataclass(frozen=True, kw_only=True)
class Parsed:
    """What a well-formed reply says.

    Attributes:
        scores_a: dimension name -> score of Speech A.
        scores_b: the same of Speech B.
        total_a: sum of A's scores.
        total_b: sum of B's scores.
        answer: the speech that the answer block names.
        rationale: what stands in the think block, in the task's exact layout.
        completion: the whole reply in the task's exact layout, which is the training text (SPEC U5).
    """

    scores_a: Mapping[str, float]
    scores_b: Mapping[str, float]
    total_a: float
    total_b: float
    answer: Literal["a", "b"]
    rationale: str
    completion: str

    @property
    def verdict(self) -> Literal["a", "b"] | None:
        """The preferred speech; None for equal totals, which are no preference whatever the answer block says (SPEC U1)."""
        return None if self.total_a == self.total_b else self.answer


@dataclass(frozen=True, kw_only=True)
class TaskSpec:
    """One annotation task.

    Attributes:
        name: name of the plug-in.
        dimensions: what is scored, in the order of the reply.
        scale: lowest and highest score.
        template: file in ``annotate/prompts``.
        fields: columns of a request that the template shows, each as quoted corpus text.
        audios: label in the prompt -> column of a request with the audio id, in the order in which a judge hears them.
        parse: turns a reply into what it says, or raises ``ParseError``.
    """

    name: str
    dimensions: tuple[Dimension, ...]
    scale: tuple[float, float]
    template: str
    fields: tuple[str, ...]
    audios: Mapping[str, str]
    parse: Callable[[str], Parsed]

    @property
    def prompt_version(self) -> str:
        """Hash of the template's text, 16 hex digits."""
        return _version(self.template)

    def render(self, **fields: str) -> str:
        """Return the prompt for one request, with every field as quoted corpus text."""
        return _template(self.template).render({name: quoted(value) for name, value in fields.items()})

    def follow_up(self, prompt: str, problem: str) -> str:
        """Return the prompt that asks once more, naming what was wrong with the first reply."""
        return _template(_FOLLOW_UP).render(prompt=prompt, problem=quoted(problem))


def quoted(text: str) -> str:
    """Return corpus text as one line that cannot end the block in which a prompt shows it.

    White space becomes single spaces, invisible and control characters vanish, and angle brackets become their single-quote
    look-alikes, so that neither the block's own delimiters nor the tags of a reply can occur in it.
    """
    return " ".join(_UNPRINTABLE.sub(" ", text).translate(_BRACKETS).split())


@cache
def _version(template: str) -> str:
    return digest((PROMPTS / template).read_text(encoding="utf-8"))[:16]


@cache
def _template(name: str) -> "jinja2.Template":
    import jinja2

    environment = jinja2.Environment(  # noqa: S701  # prompts are plain text: HTML escapes would be read out as such
        loader=jinja2.FileSystemLoader(PROMPTS),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)
