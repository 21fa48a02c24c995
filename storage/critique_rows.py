"""Release rows of rated pairs with what a model is asked about them, and with critiques (pure)."""

from collections.abc import Callable, Mapping
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from contracts.joins import RowSource, among, row_numbers
from storage.rated_columns import PAIR_CRITIQUES
from storage.rows import Rows, same

PromptOf = Callable[[str | None], str]
"""Language of a row -> the prompt in that language."""

_RELEASED: Final = ("completion", "scores_a", "scores_b", "judge", "judge_version", "judge_model", "prompt_version")
OF_JUDGMENT: Final = (
    *("judgment_id", "pair_id", "judge", "judge_version", "model", "model_served", "prompt_version"),
    *("completion", "scores_a", "scores_b"),
)
"""The columns of JUDGMENTS that are released."""


class PromptedPairRows:
    """Rated pairs with prompts, and the right and the wrong answer to the one that asks for an identifier alone."""

    def __init__(self, pairs: Rows, *, prompt: PromptOf, identifier_prompt: PromptOf, identifiers: Mapping[str, str]) -> None:
        """Take the rows of the pairs.

        Args:
            pairs: rows of ``RATED_PAIRS``.
            prompt: asks for a critique with scores.
            identifier_prompt: asks for the identifier of the better clip.
            identifiers: ``a`` and ``b`` -> the identifier.
        """
        self._pairs, self._prompts = pairs, {"prompt": prompt, "identifier_prompt": identifier_prompt}
        self._identifiers = identifiers

    def ordered(self, splits: pa.Table) -> pa.Table:
        """Return the rows in the order of a release: all pairs."""
        return self._pairs.ordered(splits)

    def batch(self, splits: pa.Table) -> pa.Table:
        """Return one release row for each of some rows of ``ordered``, in their order."""
        rows = self._pairs.batch(splits)
        for name, prompt_of in self._prompts.items():
            rows = rows.append_column(name, prompts_of(rows["language"], prompt_of))
        is_a = pc.equal(rows["label"], "a")
        for name, (first, second) in {"chosen": ("a", "b"), "rejected": ("b", "a")}.items():
            rows = rows.append_column(name, pc.if_else(is_a, self._identifiers[first], self._identifiers[second]))
        return rows


class PairCritiqueRows:
    """Rated pairs that have a critique."""

    def __init__(self, pairs: Rows, *, judgments: pa.Table, prompt: PromptOf) -> None:
        """Take the rows of the pairs.

        Args:
            pairs: rows of ``RATED_PAIRS``.
            judgments: the columns ``OF_JUDGMENT`` of the judgments that are kept: at most one of a pair, in its stored order.
            prompt: what the judge was asked.
        """
        self._pairs, self._prompt = pairs, prompt
        self._judged = judgments["pair_id"]
        judge_model = pc.coalesce(judgments["model_served"], judgments["model"])
        self._judgments = RowSource(judgments.append_column("judge_model", judge_model), _RELEASED)

    def ordered(self, splits: pa.Table) -> pa.Table:
        """Return the rows in the order of a release: the pairs with a critique."""
        return self._pairs.ordered(among(splits, "item_id", self._judged))

    def batch(self, splits: pa.Table) -> pa.Table:
        """Return one release row for each of some rows of ``ordered``, in their order."""
        rows = self._pairs.batch(splits)
        found = self._judgments.select(same(*_RELEASED), row_numbers(rows["pair_id"], self._judged))
        for name in ("scores_a", "scores_b"):
            found[name] = found[name].cast(PAIR_CRITIQUES.columns.field(name).type)
        rows = rows.append_column("prompt", prompts_of(rows["language"], self._prompt))
        for name, column in found.items():
            rows = rows.append_column(name, column)
        return rows


def prompts_of(languages: pa.ChunkedArray, prompt_of: PromptOf) -> pa.Array:
    """Return the prompt for each row of a language."""
    encoded = languages.combine_chunks().dictionary_encode()
    return pa.array([prompt_of(tag) for tag in encoded.dictionary.to_pylist()], pa.string()).take(encoded.indices)
