"""The section ``prompts`` of a recipe of kind ``preference``: which texts are spoken, after which reference."""

from collections.abc import Sequence
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from corpora.reader import Style
from flows.recipe.parts import Name, Strict
from synth.scripts import Variant, Variants

_Texts = Annotated[int, Field(gt=0, le=100_000_000)]
_Variants = Annotated[tuple[Variant, ...], Field(min_length=1)]


class Prompts(Strict):
    """Which texts are spoken, after which reference."""

    texts: int | None = Field(default=None, gt=0, le=100_000_000, description="how many target texts; null = all")
    texts_by_corpus: dict[Name, _Texts] | None = Field(
        default=None,
        min_length=1,
        exclude_if=lambda texts: texts is None,  # a recipe that does not say it is the recipe that it was
        description="how many target texts of each corpus, in place of texts; none of those that are not named",
    )
    min_duration_s: float = Field(default=1.0, ge=0, le=86_400)
    max_duration_s: float = Field(default=30.0, gt=0, le=86_400)
    min_words: int = Field(default=1, ge=0, le=2000)
    reference: Literal["same_speaker", "none"] = "same_speaker"
    reference_min_duration_s: float = Field(default=1.0, ge=0, le=86_400)
    reference_max_duration_s: float | None = Field(
        default=None,
        gt=0,
        le=86_400,
        exclude_if=lambda longest: longest is None,
        description="null = what all systems of the recipe take",
    )
    variants: _Variants | dict[Literal["regular", "expressive"], _Variants] = Field(
        default=("transcript",),
        min_length=1,
        description="texts of each reference, in all styles or by style: transcripts of its own and of the other language "
        "(foreign), and what the role style_continuation writes. By style, texts have that of their reference; else written "
        "ones are expressive",
    )
    longest_history: int | None = Field(
        default=None, gt=0, le=100_000, description="turns before a dialogue's target; null = all"
    )
    targets: Literal["texts", "recordings"] = Field(
        default="texts",
        exclude_if=lambda targets: targets == "texts",  # a recipe that does not say it is the recipe that it was
        description="each text once, or every recording of it, such as one sentence in five emotions",
    )

    corpora: tuple[Name, ...] | None = Field(
        default=None,
        min_length=1,
        exclude_if=lambda corpora: corpora is None,
        description="those whose texts are spoken; the others are there to be borrowed from; null = all",
    )

    @property
    def by_style(self) -> dict[str, list[Variant]]:
        """Style -> variants; empty where they are the same in all styles."""
        return {style: list(some) for style, some in self.variants.items()} if isinstance(self.variants, dict) else {}

    @property
    def all_variants(self) -> set[Variant]:
        """The variants of any style."""
        return {variant for some in self._lists for variant in some}

    @property
    def styles(self) -> list[str] | None:
        """The styles that are used; None = all."""
        return list(self.by_style) or None

    @property
    def foreign_styles(self) -> tuple[str, ...]:
        """The styles in which references also speak transcripts of the other language."""
        return tuple(style for style in get_args(Style) if "foreign" in self.by_style.get(style, ()))

    @property
    def _lists(self) -> Sequence[Sequence[Variant]]:
        return list(self.variants.values()) if isinstance(self.variants, dict) else [self.variants]

    @property
    def spoken(self) -> Variants:
        """The variants: by style, or the same in all."""
        return self.by_style or self._lists[0]

    def variants_literals(self) -> object:
        """Return the variants as literals."""
        return self.by_style or list(self.variants)

    @model_validator(mode="after")
    def _variants_make_sense(self) -> Self:
        for some in self._lists:
            if doubled := next((one for one in some if some.count(one) > 1), None):
                raise ValueError(f"variants: {doubled} is named twice")
        if "foreign" in self.all_variants and not self.by_style:
            raise ValueError("variants: foreign is of a style: write such as {regular: [transcript, foreign]}")
        if "codeSwitching" in self.by_style.get("regular", ()):
            raise ValueError("variants.regular: texts in two languages are of expressive references only")
        if "foreign" in self.all_variants and (self.reference == "none" or self.targets == "recordings"):
            raise ValueError("variants: foreign is spoken by a reference: set reference to same_speaker, and targets to texts")
        return self

    @model_validator(mode="after")
    def _durations_are_a_range(self) -> Self:
        if self.min_duration_s > self.max_duration_s:
            raise ValueError(f"min_duration_s {self.min_duration_s:g} is above max_duration_s {self.max_duration_s:g}")
        if self.texts is not None and self.texts_by_corpus is not None:
            raise ValueError("give either texts or texts_by_corpus")
        if self.reference_max_duration_s is not None and self.reference_max_duration_s < self.reference_min_duration_s:
            raise ValueError("reference_max_duration_s is below reference_min_duration_s")
        if self.targets == "recordings" and self.reference != "none":
            raise ValueError("targets: where every recording is one, none is left to be a reference: set reference to none")
        return self
