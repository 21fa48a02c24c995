"""Recipes of kind ``preference``: pairs of clips of one text, by systems, by people, or from a corpus."""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Final, Literal, Self

from pydantic import Field, model_validator

from flows.recipe.contrasts_section import ClipSource, NegativeSource
from flows.recipe.model import Recipe
from flows.recipe.pairs_section import PairBudget
from flows.recipe.parts import LimitSection, configured
from flows.recipe.prompts_section import Prompts
from flows.recipe.sections import Audio, JudgeSection, Role, System
from flows.recipe.subsets_section import SubsetName, SubsetSection, in_order
from synth.contrasts import Source
from synth.dsp import AudioFormat
from synth.engine import SourceType, is_service, max_reference_s, varies_by
from synth.hosted_engine import placed_engine

SEEDS: Final = 3
"""How many seeds a clip of a random engine may take, unless the recipe says otherwise."""


BLOCKS: Final = 60


class PreferenceRecipe(Recipe):
    """A recipe of kind ``preference``."""

    prompts: Prompts = Prompts()
    audio: Audio = Audio()
    human: bool = Field(default=True, description="the ground-truth recording is one more candidate")
    systems: list[System] = Field(default_factory=list)
    clip_limits: list[LimitSection] = Field(
        default_factory=list,
        description="what clips may measure at most as engines make them, and as they are imported; above it another seed is "
        "tried: [{name: wer, value: wer, at_most: 0.9}]",
    )
    positives: list[ClipSource] = Field(
        default_factory=list,
        exclude_if=lambda sources: not sources,  # a recipe that does not say it is the recipe that it was
        description="with negatives: how the good clip of a text is made; each text gets one of these; none = its recording",
    )
    negatives: list[NegativeSource] = Field(
        default_factory=list,
        exclude_if=lambda sources: not sources,
        description="how the worse clip of a text is made, in place of all systems speaking it; each text gets one of these",
    )
    blocks: int = Field(
        default=BLOCKS,
        ge=1,
        le=1_000_000,
        exclude_if=lambda blocks: blocks == BLOCKS,
        description="into how many blocks texts are put by hash: a clip borrows recordings of its text's block (or dialogue), "
        "and a block whose texts borrow of each other lies in one split",
    )
    pair_kinds: tuple[Literal["human", "inter", "intra"], ...] = Field(default=("human", "inter"), min_length=1)
    pairs: PairBudget | None = Field(
        default=None,
        exclude_if=lambda pairs: pairs is None,
        description="how many pairs of which sort; null = all of pair_kinds",
    )
    roles: list[Role] = Field(default_factory=list, description="what else language models write, in this order")
    judge: JudgeSection | None = Field(
        default=None, description="its judgments decide the labels, unless labels says otherwise"
    )
    judges: list[JudgeSection] = Field(default_factory=list, description="second opinions, kept beside")
    subsets: dict[SubsetName, SubsetSection] = Field(
        default_factory=dict,
        exclude_if=lambda subsets: not subsets,
        description="pairs after a filter each, as configurations of one release: {raw: {}, pref: {after: cmos_to_preference}, "
        "hq: {after: wer_gap}}; the narrowest one has all filters behind it, and its pairs are split; none = these alone",
    )

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        self.require_unique("systems", (system.name for system in self.systems))
        self.require_unique("roles", (role.task for role in self.roles))
        self.require_unique("pair_kinds", self.pair_kinds)
        if any(system.name == "human" for system in self.systems):
            raise ValueError("systems: the name 'human' is the ground-truth recording's")
        if self.negatives:
            if set_here := sorted({"human", "pair_kinds"} & self.model_fields_set):
                raise ValueError(f"{set_here[0]}: with negatives, each pair is a positive and a negative")
            if self.prompts.all_variants != {"transcript"}:
                raise ValueError("prompts.variants: negatives are of texts that have a recording: only transcript")
            if self.pairs is not None:
                raise ValueError("pairs: with negatives, each pair is a positive and a negative: leave it out")
        elif self.positives:
            raise ValueError("positives: are compared with negatives: say how those are made")
        if self.pairs is not None and "pair_kinds" in self.model_fields_set:
            raise ValueError("pair_kinds: follow from pairs.budget: leave it out")
        if self.audio.upsample_references and (self.human or self.negatives):
            raise ValueError(
                "audio.upsample_references: recordings are compared here: set human to false, or lower bandwidth_hz"
            )
        if self.human and "foreign" in self.prompts.all_variants:
            raise ValueError("human: nobody has recorded foreign texts in the voice of the reference: set human to false")
        if self.judge is None and self.judges:
            raise ValueError("judges: are second opinions: name the first one as judge")
        return self

    @property
    def compared_kinds(self) -> Sequence[str]:
        """The kinds of pairs that are compared."""
        return self.pair_kinds if self.pairs is None else self.pairs.kinds

    @property
    def judges_of_pairs(self) -> Sequence[JudgeSection]:
        """The judges; the judgments of the first one decide."""
        return (self.judge, *self.judges) if self.judge is not None else ()

    @property
    def writers(self) -> Sequence[Role]:
        """The roles."""
        return self.roles

    @property
    def clip_format(self) -> AudioFormat:
        """The one format of all clips."""
        return self.audio.clip_format

    @property
    def longest_history(self) -> int | None:
        """The largest number of turns before a dialogue's target that are played; None = all."""
        return self.prompts.longest_history

    @property
    def has_compartments(self) -> bool:
        """Subsets have pairs beside the splits, and a teacher divides one."""
        return bool(self.subsets) or self.is_taught

    @property
    def has_teachers(self) -> bool:
        """A judge may be asked after people have voted."""
        return True

    @property
    def subset_names(self) -> list[str]:
        """The subsets from the widest to the narrowest, whose pairs are split."""
        return in_order(self.subsets, [rule.name for rule in self.filters])

    @property
    def is_taught(self) -> bool:
        """Whether the judge is asked after the labels, about the split that its replies divide."""
        return self.splits.taught is not None

    @property
    def tells_source_types(self) -> bool:
        """Rows of both clips say what made them."""
        return True

    @property
    def synthetic_corpora(self) -> dict[str, SourceType]:
        """Corpora whose recordings machines spoke -> IPTC digital source type."""
        return {corpus.name: corpus.source_type for corpus in self.corpora if corpus.source_type is not None}

    @property
    def contrasts(self) -> tuple[list[Source], list[Source]]:
        """How positives and negatives are made; both are empty where all systems speak all texts."""
        positives = self.positives or ([ClipSource()] if self.negatives else [])
        return [self._source(one) for one in positives], [self._source(one) for one in self.negatives]

    def _source(self, section: ClipSource) -> Source:
        source = section.source(self.prompts)
        shortest, longest = source.reference_s
        return replace(source, reference_s=(shortest, min(longest, self.longest_reference_s)))

    @property
    def longest_reference_s(self) -> float:
        """The longest reference recording: what the recipe says, else what all its systems take; may be infinite."""
        if self.prompts.reference_max_duration_s is not None:
            return self.prompts.reference_max_duration_s
        return min(map(max_reference_s, self.engines.values()), default=math.inf)

    @property
    def rendered(self) -> list[tuple[System, str]]:
        """The systems with an engine, and its name."""
        return [(system, system.engine) for system in self.systems if system.engine is not None]

    @property
    def brought_along(self) -> list[tuple[System, str]]:
        """The systems whose clips come from a corpus, and its name."""
        return [(system, system.clips) for system in self.systems if system.clips is not None]

    @cached_property
    def engines(self) -> dict[str, Any]:
        """System name -> configured engine, of the systems that have one."""
        return {
            system.name: configured(f"systems.{system.name}.options", "engine", engine, system.options)
            for system, engine in self.rendered
        }

    @property
    def tries(self) -> dict[str, int]:
        """System name -> how many seeds a clip may take, of the systems that have an engine."""
        return {
            system.name: system.tries or (SEEDS if "seed" in varies_by(self.engines[system.name]) else 1)
            for system, _ in self.rendered
        }

    @property
    def speech_services(self) -> dict[str, Any]:
        """System name -> configured engine, of the systems whose engine is a service."""
        return {name: engine for name, engine in self.engines.items() if is_service(engine)}

    @cached_property
    def placed_engines(self) -> dict[str, Any]:
        """System name -> its engine where it runs: in our interpreter, or hosted in an environment of its own."""
        return {
            system.name: placed_engine(engine, system.options, system.chosen_environment) for system, engine in self.rendered
        }
