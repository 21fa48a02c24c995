"""Recipes: one YAML file that says which data set to build.

Everything a recipe can say is below; an unknown key is an error that names the nearest known one. Options of plug-ins are
checked against the plug-in itself when the recipe is loaded, before anything runs.
"""

import os
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, Field, ValidationError, model_validator

from contracts import plugins
from contracts.errors import RecipeError
from contracts.yaml_mapping import read_yaml
from flows.recipe import listening_section
from flows.recipe.checks import check, configured
from flows.recipe.listening_section import Listening
from flows.recipe.parts import Metric, Name, Options, Plugin, Strict, Versioned, expanded
from flows.recipe.splits_section import Splits
from synth.dsp import AudioFormat


class Corpus(Strict):
    """One source corpus."""

    name: Name = Field(description="what rows call it")
    reader: str = Field(description="corpus plug-in")
    root: str = Field(
        default="",
        description="folder or URL; relative = beside the recipe; $VARIABLES are expanded; "
        "empty = where the reader's own package lies",
    )
    options: Options = Field(default_factory=dict, description="fields of the reader")


class Prompts(Strict):
    """Which texts are spoken, after which reference."""

    texts: int | None = Field(default=None, gt=0, le=100_000_000, description="how many target texts; null = all")
    min_duration_s: float = Field(default=1.0, ge=0, le=86_400)
    max_duration_s: float = Field(default=30.0, gt=0, le=86_400)
    min_words: int = Field(default=1, ge=0, le=2000)
    reference: Literal["same_speaker", "none"] = "same_speaker"
    reference_min_duration_s: float = Field(default=1.0, ge=0, le=86_400)
    variants: tuple[Literal["transcript", "random", "translation", "codeSwitching"], ...] = Field(
        default=("transcript",), min_length=1, description="texts beside the transcript need the role style_continuation"
    )
    longest_history: int | None = Field(
        default=None, gt=0, le=100_000, description="turns before a dialogue's target; null = all"
    )

    @model_validator(mode="after")
    def _durations_are_a_range(self) -> Self:
        if self.min_duration_s > self.max_duration_s:
            raise ValueError(f"min_duration_s {self.min_duration_s:g} is above max_duration_s {self.max_duration_s:g}")
        return self


class Audio(Strict):
    """The one format of all clips: a difference here would name the system."""

    sample_rate_hz: int = Field(default=16000, ge=8000, le=48000)
    bandwidth_hz: int = Field(default=7000, ge=1000, le=24000)
    loudness_lufs: float = Field(default=-26.0, gt=-70, le=-10, description="at -23 LUFS some engines' clips would clip")

    @model_validator(mode="after")
    def _can_be_made(self) -> Self:
        AudioFormat(**self.model_dump())  # says what does not fit
        return self


class System(Versioned):
    """One TTS system: an engine with its options and voices."""

    name: Name
    engine: str = Field(description="engine plug-in")
    voices: list[str] | None = Field(default=None, min_length=1, description="null = all voices of the engine")
    voices_per_prompt: int = Field(default=1, ge=1, le=1000, description="more than one makes intra-system pairs")
    speaks: str = Field(default="target", description="the target text, or the role that writes what it says instead")
    options: Options = Field(default_factory=dict)

    @model_validator(mode="after")
    def _voices_are_unique(self) -> Self:
        if doubled := sorted({name for name in self.voices or [] if (self.voices or []).count(name) > 1}):
            raise ValueError(f"voices: {', '.join(doubled)} is named twice")
        return self


class Role(Plugin):
    """A question to a language model: the judge plug-in that answers it, and how it is put."""

    task: str = Field(description="task plug-in")
    mode: Literal["live", "batch"] = Field(
        default="live", description="one by one, or by the provider's batches: half the price"
    )
    poll_s: float = Field(
        default=30.0, gt=0, le=86_400, description="first wait before a batch is looked at; later ones are longer"
    )


class Judge(Role):
    """Who judges pairs, and how often each."""

    task: str = "task1"
    orders: Literal["stored", "both"] = Field(default="stored", description="both = once more with the speeches exchanged")
    votes: int = Field(default=1, ge=1, le=99, description="how often each question is put; the majority rules")
    on_disagreement: Literal["drop", "average"] = Field(
        default="drop", description="where the two orders rule against each other"
    )


class Release(Strict):
    """The published data set."""

    version: Name = "0.1.0"
    pretty_name: str = "Speech preference pairs"
    shard_size_mb: int = Field(default=500, gt=0, le=100_000)


class Recipe(Strict):
    """A whole recipe."""

    name: Name
    workspace: str | None = Field(default=None, description="folder or URL; null = workspaces/<name> in the current folder")
    seed: int = Field(default=0, ge=-(2**63), lt=2**63)
    corpora: list[Corpus] = Field(min_length=1)
    prompts: Prompts = Prompts()
    audio: Audio = Audio()
    human: bool = Field(default=True, description="the ground-truth recording is one more candidate")
    systems: list[System] = Field(min_length=1)
    pair_kinds: tuple[Literal["human", "inter", "intra"], ...] = Field(default=("human", "inter"), min_length=1)
    metrics: list[Metric] = Field(min_length=1)
    budget_usd: float | None = Field(
        default=None, ge=0, le=1e9, description="hard stop for all paid calls; null = none is expected"
    )
    roles: list[Role] = Field(default_factory=list, description="what else language models write, in this order")
    judge: Judge = Field(description="its judgments decide the labels")
    judges: list[Judge] = Field(default_factory=list, description="second opinions, kept beside")
    filters: list[Plugin] = Field(default_factory=list)
    splits: Splits
    listening: Listening | None = Field(default=None, description="what people are asked; null = nobody")
    release: Release = Release()

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        for what, found in (
            ("corpora", [corpus.name for corpus in self.corpora]),
            ("systems", [system.name for system in self.systems]),
            ("metrics", [metric.name for metric in self.metrics]),
            ("roles", [role.task for role in self.roles]),
            ("filters", [rule.name for rule in self.filters]),
            ("pair_kinds", self.pair_kinds),
            ("prompts.variants", self.prompts.variants),
        ):
            doubled = sorted({name for name in found if found.count(name) > 1})
            if doubled:
                raise ValueError(f"{what}: {', '.join(doubled)} is named twice")
        if any(system.name == "human" for system in self.systems):
            raise ValueError("systems: the name 'human' is the ground-truth recording's")
        return self

    @cached_property
    def engines(self) -> dict[str, Any]:
        """System name -> configured engine."""
        return {
            system.name: configured(f"systems.{system.name}.options", "engine", system.engine, system.options)
            for system in self.systems
        }


def load(path: str | os.PathLike[str]) -> Recipe:
    """Read and check a recipe.

    Raises:
        RecipeError: no such file, no YAML, an unknown key, a wrong value, an unknown plug-in or a wrong option of one; the
            message names the file and the field.
    """
    file = Path(path)
    raw = read_yaml(file, "a recipe")
    try:
        recipe = Recipe.model_validate(raw)
    except ValidationError as error:
        raise RecipeError(f"{file}: " + "; ".join(_explain(problem) for problem in error.errors())) from None
    try:
        corpora = [_rooted(corpus, file.parent) for corpus in recipe.corpora]
        listening = listening_section.rooted(recipe.listening, file.parent)
        recipe = recipe.model_copy(update={"corpora": corpora, "listening": listening})
        check(recipe)
    except RecipeError as error:
        raise RecipeError(f"{file}: {error}") from error
    return recipe


def _rooted(corpus: Corpus, folder: Path) -> Corpus:
    root = expanded(corpus.root, f"corpora.{corpus.name}: root")
    if not root:
        root = plugins.load("corpus", corpus.reader).DEFAULT_ROOT
        if root is None:
            raise RecipeError(f"corpora.{corpus.name}: root is needed: the folder or URL of the corpus")
    if "://" not in root:
        root = str((folder / Path(root).expanduser()).resolve())
    return corpus.model_copy(update={"root": root})


def _explain(problem: Mapping[str, Any]) -> str:
    """Say where a validation problem is and, for an unknown key, which known one is nearest."""
    where = ".".join(str(step) for step in problem["loc"])
    if problem["type"] != "extra_forbidden":
        return f"{where or 'recipe'}: {problem['msg'].removeprefix('Value error, ')}"
    *parents, key = problem["loc"]
    known = _known_keys(tuple(step for step in parents if isinstance(step, str)))
    close = get_close_matches(str(key), known, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
    return f"{where}: unknown key, {hint}"


def _known_keys(parents: tuple[str, ...]) -> list[str]:
    model: type[BaseModel] = Recipe
    for step in parents:
        if step in model.model_fields:  # else it is a key of a mapping, whose values the step before led to
            model = next(_models(model.model_fields[step].annotation))
    return list(model.model_fields)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the sections that a type is made of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in getattr(annotation, "__args__", ()):
        yield from _models(part)
