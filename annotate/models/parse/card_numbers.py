"""The numbers of a score card, and whether its explanations and its summary agree with them.

What is free text to the reader of a reply becomes training text with the rest of it: a total in the notation of the
other layout, or a second score inside an explanation, would teach that sums need not hold.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from annotate.models.parse.stated_scores import Statement, statements


@dataclass(frozen=True, kw_only=True)
class CardNumbers:
    """The numbers in a score card's own lines.

    Attributes:
        scores: ``a`` and ``b`` -> scores of that speech, in the order of the dimensions.
    """

    scores: Mapping[str, Sequence[Decimal]]

    def total(self, letter: str) -> Decimal:
        """Return the sum of one speech's scores."""
        return sum(self.scores[letter], Decimal(0))

    def contradiction(self, text: str, *, speech: str | None = None, dimension: int | None = None) -> Statement | None:
        """Return the first statement of a free text that contradicts the card, or cannot be read; None = there is none.

        Args:
            text: an explanation or the summary.
            speech: ``a`` or ``b``, whose explanation it is; None = the summary.
            dimension: which one's explanation, counted from 0.
        """
        return next((found for found in statements(text) if not self._holds(found, speech, dimension)), None)

    def _holds(self, found: Statement, speech: str | None, dimension: int | None) -> bool:
        numbers = [number for number in found.numbers if number is not None]
        if len(numbers) < len(found.numbers):
            return False
        if found.kind == "score" and "=" in found.text:
            return False  # a line of scores, wherever it stands
        if found.kind == "sum":
            return any([*self.scores[letter], self.total(letter)] == numbers for letter in self.scores)
        if found.kind == "total":
            letters = [found.letter] if found.letter else [speech] if speech else list(self.scores)
            return any(
                numbers[-1] == self.total(letter) and set(numbers[:-1]) <= set(self.scores[letter]) for letter in letters
            )
        if found.kind == "pair":
            assert found.letter is not None
            if len(numbers) > 1 and numbers[-1] == 10 * len(self.scores[found.letter]):
                del numbers[-1]  # "24.3 of 40 points": the highest total that there is
            return set(numbers) <= {*self.scores[found.letter], self.total(found.letter)}
        return set(numbers) <= self._scores_meant(found, speech, dimension)

    def _scores_meant(self, found: Statement, speech: str | None, dimension: int | None) -> set[Decimal]:
        """Return the scores that a text may repeat: an explanation its own, and beside it that of the other speech."""
        if speech is None or dimension is None:
            return {score for scores in self.scores.values() for score in scores}
        own = self.scores[speech][dimension]
        return {own} if found.kind == "score" else {scores[dimension] for scores in self.scores.values()}
