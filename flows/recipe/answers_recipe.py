"""Recipes of kind ``answers``: spoken questions, or speech to be translated, with reference answers."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from contracts.languages import Language
from contracts.text_forms import keyed
from flows.recipe.model import Origin, Recipe
from flows.recipe.sections import HeardAudio
from flows.recipe.splits_section import SplitName
from synth.dsp import OriginalFormat


def _says_something(text: str) -> str:
    if not keyed(text):
        raise ValueError("is blank: say what is asked")
    return text


class AnswersRecipe(Recipe):
    """A recipe of kind ``answers``."""

    kind: str = "answers"
    audio: HeardAudio = HeardAudio()
    instruction: Annotated[str, Field(max_length=2000), AfterValidator(_says_something)] | None = Field(
        default=None,
        description="what is asked about a recording without a question of its own, such as: Translate the speech into German.",
    )
    reference_language: Language | None = Field(
        default=None, description="of the references, which decides how BLEU divides them into words; null = the recording's"
    )
    prompt_only: tuple[SplitName, ...] = Field(
        default=(), description="splits whose rows have no completion: for RL without the reference as an off-policy sample"
    )

    @model_validator(mode="after")
    def _labels_are_references(self) -> Self:
        if self.labels is not None and self.labels.origin != "references":
            raise ValueError("labels.from: the labels of questions are the corpora's references: leave it out")
        if self.listening is not None:
            raise ValueError("listening: nobody is asked about questions with references: leave it out")
        if unknown := [name for name in self.prompt_only if name not in self.splits.named()]:
            raise ValueError(f"prompt_only: {', '.join(unknown)}: splits makes {', '.join(self.splits.named())} only")
        return self

    @property
    def clip_format(self) -> OriginalFormat:
        """Clips as the corpus has them, at one rate."""
        return self.audio.clip_format

    @property
    def labels_from(self) -> Origin:
        """Labels are the corpora's references."""
        return "references"
