"""Recipes: one YAML file that defines a data set. This module has what all kinds of data sets share."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from contracts import plugins
from contracts.errors import RecipeError
from flows.recipe import listening_section
from flows.recipe.listening_section import Listening
from flows.recipe.parts import MetricSection, Name, Plugin, Strict, expanded
from flows.recipe.sections import CorpusSection, JudgeSection, Labels, Rebalance, Release, Role
from flows.recipe.splits_section import Splits
from synth.dsp import ClipFormat

Origin = Literal["judge", "votes", "ratings", "construction", "references"]


class Recipe(Strict, ABC):
    """Keys that the recipes of all kinds share."""

    kind: str = Field(default="preference", description="kind of data set")
    name: Name
    plugins: str | None = Field(
        default=None, description="folder with plug-ins of one's own, as <kind>/<name>.py; relative = beside the recipe"
    )
    workspace: str | None = Field(default=None, description="folder or URL; null = workspaces/<name> in the current folder")
    seed: int = Field(default=0, ge=-(2**63), lt=2**63)
    corpora: list[CorpusSection] = Field(min_length=1)
    metrics: list[MetricSection] = Field(default_factory=list)
    budget_usd: float | None = Field(
        default=None, ge=0, le=1e9, description="hard stop for all paid calls; null = none is expected"
    )
    labels: Labels | None = Field(default=None, description="where labels come from; null = as the rest of the recipe implies")
    filters: list[Plugin] = Field(default_factory=list)
    rebalance: Rebalance | None = Field(
        default=None,
        exclude_if=lambda rebalance: rebalance is None,  # a recipe that does not say it is the recipe that it was
        description="features that may not tell which clip is chosen; null = all labelled pairs stay",
    )
    splits: Splits
    listening: Listening | None = Field(default=None, description="what people are asked; null = nobody")
    release: Release = Release()

    @model_validator(mode="after")
    def _shared_names_are_unique(self) -> Self:
        self.require_unique("corpora", (corpus.name for corpus in self.corpora))
        self.require_unique("metrics", (metric.name for metric in self.metrics))
        self.require_unique("filters", (rule.name for rule in self.filters))
        return self

    @model_validator(mode="after")
    def _synthetic_corpora_are_told(self) -> Self:
        if not self.tells_source_types and (told := [corpus.name for corpus in self.corpora if corpus.source_type is not None]):
            raise ValueError(
                f"corpora.{told[0]}.source_type: in this kind of data set the corpus names the system of each clip"
            )
        return self

    @model_validator(mode="after")
    def _quotas_by_corpus_make_sense(self) -> Self:
        corpora = {corpus.name for corpus in self.corpora}
        for name, split in self.splits.named().items():
            if split.by_corpus and not self.draws_pairs:
                raise ValueError(f"splits.sets.{name}.quota: by corpus it is for pairs that are drawn (pairs.categories)")
            if unknown := sorted(set(split.by_corpus) - corpora):
                raise ValueError(f"splits.sets.{name}.quota: {unknown[0]!r} is no corpus of this recipe")
        return self

    @model_validator(mode="after")
    def _splits_fit_the_items(self) -> Self:
        for name, split in self.splits.named().items():
            if split.strata is not None and self.draws_pairs:
                raise ValueError(f"splits.sets.{name}.strata: pairs are drawn up to quotas by corpus (pairs.categories)")
            if split.by_teacher is not None and not self.has_teachers:
                raise ValueError(
                    f"splits.sets.{name}.by_teacher: is for pairs that people vote on, in recipes of kind preference"
                )
        return self

    @model_serializer(mode="wrap")
    def _without_unused_keys(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out keys at their defaults, so that recipes from before these keys keep their literals."""
        found: dict[str, Any] = handler(self)
        for name, value in (("kind", "preference"), ("labels", None), ("plugins", None), ("clip_limits", [])):
            if found.get(name, value) == value:
                found.pop(name, None)
        return found

    @staticmethod
    def require_unique(what: str, names: Iterable[str]) -> None:
        """Refuse a name that occurs twice.

        Raises:
            ValueError: one does.
        """
        found = list(names)
        if doubled := sorted({name for name in found if found.count(name) > 1}):
            raise ValueError(f"{what}: {', '.join(doubled)} is named twice")

    @property
    def part_recipes(self) -> Mapping[str, "Recipe"]:
        """Name -> recipe of each part, in order; none unless it is a collection."""
        return {}

    @property
    def draws_pairs(self) -> bool:
        """Whether pairs are drawn for a split each, so that the splits are there before the pairs."""
        return False

    @property
    def has_compartments(self) -> bool:
        """Whether released splits are parts of assigned ones, and may share texts with other parts of these."""
        return self.splits.taught is not None

    @property
    def has_teachers(self) -> bool:
        """Whether a judge can be asked after the labels, and divide a split by what it says."""
        return False

    @property
    def tells_source_types(self) -> bool:
        """Whether ``source_type`` of a corpus reaches the rows that are released."""
        return False

    @property
    def judges_of_pairs(self) -> Sequence[JudgeSection]:
        """The judges of items; the judgments of the first one decide. Empty if none is asked."""
        return ()

    @property
    def has_critiques(self) -> bool:
        """Whether somebody writes critiques of pairs."""
        return False

    @property
    def writers(self) -> Sequence[Role]:
        """The roles of language models beside judging, in order."""
        return ()

    @property
    def speech_services(self) -> Mapping[str, Any]:
        """System name -> configured engine, of the systems whose engine is a service."""
        return {}

    @property
    @abstractmethod
    def clip_format(self) -> ClipFormat:
        """The format of all clips in the workspace and the release."""

    @property
    def compares(self) -> bool:
        """Whether items are compared clips, so that a filter makes their labels where labels come from votes."""
        return True

    @property
    def longest_history(self) -> int | None:
        """The largest number of turns before a dialogue's target that are played; None = all."""
        return None

    @property
    def labels_from(self) -> Origin:
        """The source of labels: ``labels.from``; else votes if a filter makes labels of them, else the judge."""
        if self.labels is not None:
            return self.labels.origin
        makers = [rule for rule in self.filters if plugins.configure("filter", rule.name, rule.options).makes_labels]
        return "votes" if makers else "judge"

    def rooted(self, folder: Path) -> Self:
        """Return the recipe with the paths of its corpora and files made absolute.

        Raises:
            RecipeError: a path holds a variable that is not set, or a corpus has no root.
        """
        return self.model_copy(
            update={
                "corpora": [_rooted(corpus, folder) for corpus in self.corpora],
                "listening": listening_section.rooted(self.listening, folder),
            }
        )


def _rooted(corpus: CorpusSection, folder: Path) -> CorpusSection:
    root = expanded(corpus.root, f"corpora.{corpus.name}: root")
    if not root:
        root = plugins.load("corpus", corpus.reader).DEFAULT_ROOT
        if root is None:
            raise RecipeError(f"corpora.{corpus.name}: root is needed: the folder or URL of the corpus")
    if "://" not in root:
        root = str((folder / Path(root).expanduser()).resolve())
    return corpus.model_copy(update={"root": root})
