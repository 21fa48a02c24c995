"""The BLEU reward of open-ended answers and translations (GRPO with BLEU for speech-aware language models; SPEC B1).

Sentence BLEU as sacrebleu computes it: up to four-grams, exponential smoothing, the effective order (a completion of two words
has no four-grams to miss), the brevity penalty, against all references at once. The paper names BLEU as the reward and not its
settings: these are sacrebleu's defaults for single sentences, and its signature says them.

Source: Papineni et al. 2002, "BLEU: a method for automatic evaluation of machine translation"; Post 2018, "A call for clarity
in reporting BLEU scores" (sacrebleu).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from contracts.languages import base_language
from scoring.reward import Row, required

if TYPE_CHECKING:
    from sacrebleu.metrics.bleu import BLEU

Tokenizer = Literal["13a", "zh", "char"]

_TOKENIZERS: Final[dict[str, Tokenizer]] = {"zh": "zh", "ja": "char", "th": "char"}
"""Of languages that are written without spaces."""


@dataclass(frozen=True)
class SentenceBleu:
    """BLEU of one completion.

    Attributes:
        tokenizer: how texts are divided into words: sacrebleu's ``13a`` at spaces and punctuation, ``zh`` at Chinese
            characters, ``char`` at every character.
    """

    tokenizer: Tokenizer = "13a"

    @classmethod
    def of(cls, language: str) -> "SentenceBleu":
        """Return the one for references in a language (BCP 47)."""
        return cls(_TOKENIZERS.get(base_language(language), "13a"))

    def reward(self, completion: str, references: Sequence[str]) -> float:
        """Return the BLEU of a completion in [0, 1]: 1 = it is one of the references, 0 = it shares no word, or is empty.

        Raises:
            ValueError: there is no reference.
        """
        if not references:
            raise ValueError("BLEU compares with at least one reference")
        return min(1.0, float(self._metric.sentence_score(completion, list(references)).score) / 100)

    def signature(self, references: int) -> str:
        """Return sacrebleu's signature of this reward with so many references, which says its settings and version."""
        self._metric.sentence_score("", [""] * references)
        return str(self._metric.get_signature())

    @cached_property
    def _metric(self) -> "BLEU":
        from sacrebleu.metrics.bleu import BLEU

        return BLEU(tokenize=self.tokenizer, smooth_method="exp", effective_order=True)


@dataclass(frozen=True, kw_only=True)
class Bleu:
    """BLEU of a completion against the references of its row, in their language."""

    columns: ClassVar[tuple[str, ...]] = ("references", "reference_language")
    parts: ClassVar[tuple[str, ...]] = ("reward",)
    tasks: ClassVar[tuple[str, ...]] = ()

    def rewards(self, completions: Sequence[str], rows: Sequence[Row]) -> list[dict[str, float]]:
        """Return the reward of each completion (see ``scoring.reward``)."""
        return [
            {"reward": SentenceBleu.of(required(row, "reference_language")).reward(completion, required(row, "references"))}
            for completion, row in zip(completions, rows, strict=True)
        ]


PLUGIN = Bleu
