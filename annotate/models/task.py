"""Tasks: the prompt for a language model, the format of its reply, and the reply's content.

One task is one file in ``annotate/models/tasks``, whose ``PLUGIN`` is a ``TaskSpec``. Prompts are Jinja templates in
``prompts/``, named ``<task>.<language>.jinja``; their version is the hash of their text, so that a changed word is a
new version. A task about pairs is judged (``Parsed``, table ``judgments``), any other is written (``Written``, ``writings``).
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from pydantic import TypeAdapter, ValidationError

from contracts.errors import DataError, RecipeError
from contracts.ids import canonical_json, digest
from contracts.languages import base_language
from contracts.text_forms import shown

if TYPE_CHECKING:
    import jinja2

PROMPTS: Final = Path(__file__).parent / "prompts"
_FOLLOW_UP: Final = "again.{}.jinja"


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


Subject = Literal["pairs", "prompts", "samples", "judgments", "assessments"]
"""Table of the rows that a task is about; an assessment is the scores of a sample, and has its id."""


@dataclass(frozen=True, kw_only=True)
class Parsed:
    """The content of a well-formed reply about two speeches, in the order in which they were played.

    Attributes:
        scores_a: dimension name -> score of Speech A.
        scores_b: the same of Speech B.
        total_a: sum of A's scores.
        total_b: sum of B's scores.
        answer: the speech that the reply prefers.
        rationale: the reasoning alone, in the task's exact layout.
        completion: the whole reply in the task's exact layout, which is the training text.
        marks: what was put right or let pass, as counted words: ``total_recomputed``, ``sentence_count``.
        remark: what to ask the judge to mend although the reply can be used; None = nothing.
    """

    scores_a: Mapping[str, float]
    scores_b: Mapping[str, float]
    total_a: float
    total_b: float
    answer: Literal["a", "b"]
    rationale: str
    completion: str
    marks: tuple[str, ...] = ()
    remark: str | None = None

    @property
    def verdict(self) -> Literal["a", "b"] | None:
        """The preferred speech; None for equal totals, which are no preference whatever the answer says."""
        return None if self.total_a == self.total_b else self.answer

    @property
    def problem(self) -> str | None:
        """Why to send a follow-up; None = no reason."""
        return f"both totals are {self.total_a:g}, but they must differ" if self.verdict is None else self.remark


@dataclass(frozen=True, kw_only=True)
class Written:
    """The content of a well-formed reply about one row.

    Attributes:
        content: what was written, by the names of the task's ``gives``; JSON-ready.
        scores: name -> number, for tasks that score.
        completion: the whole reply in the task's exact layout.
    """

    content: Mapping[str, Any]
    scores: Mapping[str, float]
    completion: str
    problem: None = None


@dataclass(frozen=True, kw_only=True)
class TaskSpec:
    """One annotation task.

    Attributes:
        name: name of the plug-in.
        subject: table of the rows it is about.
        templates: language of the row (``en``, ``zh``) -> file in ``prompts/``, or the absolute path of another file; a row in
            another language gets the first one.
        fields: columns of a request that the template shows, each as one quoted line of corpus text.
        passages: likewise, with their line breaks kept.
        audios: label in the prompt -> column of a request with the audio id, in the order in which a judge hears them. A column
            of lists gives one clip per item, and its label has a ``{n}`` for their numbers from 1 on.
        dimensions: what is scored, in the order of the reply; none for a task that only writes.
        scale: lowest and highest score.
        gives: keys of ``Written.content``; none for a task about pairs.
        makes_texts: whether what it writes decides the texts that are spoken.
        makes_negatives: whether a system may speak what it writes instead of the text; it gives ``text`` then.
        parse: turns a reply into its content, or raises ``ParseError``.
        check: raises ``ParseError`` where the content does not fit what the request showed, by column; None = any does.
        options: dataclass of what a recipe may set of the task: its value is a ``check``, which is asked of replies only where
            the recipe sets some; None = nothing.
        checked_by: the options that the recipe set, as literals: an answer that was checked by others is another one.
        compose: writes scores, by the keys of the dimensions, and content as a reply in the task's layout, which ``parse``
            reads as the same again, or raises ``ParseError`` where they have no such form; None = only judges write replies.
        preface: what stands before every prompt, such as examples (``annotate.models.few_shot_examples``).
    """

    name: str
    subject: Subject = "pairs"
    templates: Mapping[str, str]
    fields: tuple[str, ...]
    passages: tuple[str, ...] = ()
    audios: Mapping[str, str]
    dimensions: tuple[Dimension, ...] = ()
    scale: tuple[float, float] = (0.0, 10.0)
    gives: tuple[str, ...] = ()
    makes_texts: bool = False
    makes_negatives: bool = False
    parse: Callable[[str], Parsed | Written]
    check: Callable[[Written, Mapping[str, str]], None] | None = None
    compose: Callable[[Mapping[str, float], Mapping[str, str | None]], str] | None = None
    options: type | None = None
    checked_by: tuple[str, ...] = ()
    preface: str = ""

    def with_options(self, options: Mapping[str, Any]) -> Self:
        """Return the task as a recipe's options make it.

        Raises:
            RecipeError: it has no such option, or refuses its value.
        """
        if not options:
            return self
        if self.options is None:
            raise RecipeError(f"task {self.name!r} has no options, got {', '.join(options)}")
        known = [option.name for option in fields(self.options)]
        if unknown := [name for name in options if name not in known]:
            raise RecipeError(f"task {self.name!r} has no option {unknown[0]!r}; known: {', '.join(known)}")
        try:
            check: Any = TypeAdapter(self.options).validate_python(dict(options))
        except ValidationError as error:
            problems = (
                f"{'.'.join(map(str, one['loc']))}: {one['msg'].removeprefix('Value error, ')}" for one in error.errors()
            )
            raise RecipeError(f"task {self.name!r}: {'; '.join(problems)}") from None
        return replace(self, check=check, checked_by=(canonical_json(asdict(check)),))

    @property
    def shown(self) -> tuple[str, ...]:
        """Columns of a request that the template shows."""
        return (*self.fields, *self.passages)

    def language(self, tag: str | None) -> str:
        """Return the language of the template for rows in the language ``tag`` (BCP 47)."""
        wanted = base_language(tag or "")
        return next((name for name in self.templates if base_language(name) == wanted), next(iter(self.templates)))

    def prompt_version(self, tag: str | None = None) -> str:
        """Hash of the template's text for rows in the language ``tag``, 16 hex digits."""
        return _version(self.templates[self.language(tag)])

    @property
    def versions(self) -> dict[str, str]:
        """Language -> prompt version."""
        return {language: _version(template) for language, template in self.templates.items()}

    def render(self, tag: str | None = None, **shown: str) -> str:
        """Return the prompt for one request in the language ``tag``, with every field and passage as quoted corpus text."""
        quote = {name: quoted_lines if name in self.passages else quoted for name in shown}
        template = prompt_template(self.templates[self.language(tag)])
        return self.preface + template.render({name: quote[name](value) for name, value in shown.items()})

    def follow_up(self, prompt: str, problem: str, tag: str | None = None) -> str:
        """Return the prompt of the follow-up, which names what was wrong with the first reply."""
        return prompt_template(_FOLLOW_UP.format(self.language(tag))).render(prompt=prompt, problem=quoted(problem))


def quoted(text: str) -> str:
    """Return corpus text as one line that cannot end the block in which a prompt shows it.

    White space becomes single spaces, hidden characters vanish but where spelling needs them, and angle brackets and their
    look-alikes become single quotation marks, so that neither the block's own delimiters nor the tags of a reply can occur in
    it: see ``contracts.text_forms``.
    """
    return shown(text)


def quoted_lines(text: str) -> str:
    """Return a passage with each of its lines quoted; empty lines vanish."""
    return "\n".join(line for line in map(quoted, text.splitlines()) if line)


@cache
def _version(template: str) -> str:
    return digest((PROMPTS / template).read_text(encoding="utf-8"))[:16]


@cache
def prompt_template(name: str) -> "jinja2.Template":
    """Return a template: a file in ``prompts/``, or the absolute path of another one."""
    import jinja2

    environment = jinja2.Environment(  # noqa: S701  # prompts are plain text: HTML escapes would be read out as such
        loader=jinja2.FileSystemLoader((PROMPTS / name).parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(Path(name).name)
