"""Recipes of kind ``rated_pairs``: the scale that decides, and which pairs of rated clips there are."""

import unicodedata
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from contracts.text_forms import keyed
from flows.recipe.critiqued_recipe import CritiquedRecipe
from flows.recipe.model import Origin
from flows.recipe.parts import Strict
from flows.recipe.sections import HeardAudio
from synth.dsp import OriginalFormat

_Parts = Annotated[int, Field(ge=0, le=1_000_000)]


class Categories(Strict):
    """How the pairs of each corpus and split are divided over the categories of MOS-RMBench, in parts of any size."""

    same_content: _Parts = Field(default=0, description="one content; another speaker, system or condition")
    same_speaker_or_system: _Parts = Field(default=0, description="one speaker or system; another content")
    neither: _Parts = Field(default=0, description="another content, and another speaker and system")

    @model_validator(mode="after")
    def _have_a_share(self) -> Self:
        if not any(self.parts.values()):
            raise ValueError("give one category more than 0 parts")
        return self

    @property
    def parts(self) -> dict[str, int]:
        """Category -> its parts."""
        found: dict[str, int] = self.model_dump()
        return found


class RatedPairsSection(Strict):
    """Which pairs of rated clips there are."""

    categories: Categories | None = Field(
        default=None,
        description="pairs are drawn up to the quotas of the splits: {same_content: 1, same_speaker_or_system: 1, neither: 1}; "
        "null = every two clips of a content",
    )
    min_gap: float = Field(default=0, ge=0, le=1e9, description="the least difference of the ratings of a pair")
    min_raters: int = Field(
        default=1, ge=1, le=1_000_000, description="how many must have rated a clip; above 1, unknown is too few"
    )


class RatedPairsRecipe(CritiquedRecipe):
    """A recipe of kind ``rated_pairs``."""

    kind: str = "rated_pairs"
    audio: HeardAudio = HeardAudio()
    scale: str = Field(min_length=1, description="the scale of ratings that decides, such as mos or naturalness")
    rated_by: Literal["people", "computation"] = Field(
        default="people",
        exclude_if=lambda who: who == "people",
        description="computation = the ratings are stand-ins that nobody gave, which the card says",
    )
    pairs: RatedPairsSection = Field(
        default=RatedPairsSection(),
        exclude_if=lambda section: section == RatedPairsSection(),  # recipes from before the key keep their literals
    )

    @field_validator("scale")
    @classmethod
    def _scale_is_written_as_in_corpora(cls, scale: str) -> str:
        if not (name := unicodedata.normalize("NFC", keyed(scale))):
            raise ValueError("is blank: name the scale of ratings that decides")
        return name

    @model_validator(mode="after")
    def _labels_are_of_ratings(self) -> Self:
        if self.labels is not None and self.labels.origin != "ratings":
            raise ValueError("labels.from: pairs of rated clips are labelled by ratings: leave it out")
        return self

    @model_validator(mode="after")
    def _splits_can_be_drawn(self) -> Self:
        for name, split in self.splits.named().items() if self.draws_pairs else ():
            if split.quota is None:
                raise ValueError(f"splits: pairs are drawn up to quotas: give {name} a quota in place of a fraction")
            if split.where.rests_on_votes():
                raise ValueError(f"splits.sets.{name}.where: pairs are drawn before anybody votes: no agreement or teacher")
        return self

    @property
    def draws_pairs(self) -> bool:
        """Whether pairs are drawn for the splits."""
        return self.pairs.categories is not None

    @property
    def clip_format(self) -> OriginalFormat:
        """Clips as they were heard, at one rate."""
        return self.audio.clip_format

    @property
    def labels_from(self) -> Origin:
        """Labels come from the ratings."""
        return "ratings"
