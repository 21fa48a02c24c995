"""The judgments of each inquiry: of one judge, model, prompt version and choice of parameters in one task.

A re-annotation is an inquiry of its own at each repetition.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from scoring.reliability.aggregation import rulings

_KEYS: Final = ("task", "judge", "model", "prompt_version", "settings")


@dataclass(frozen=True, kw_only=True)
class InquiryRows:
    """The judgments of one inquiry.

    Attributes:
        task: task plug-in.
        judge: judge plug-in.
        model: the model requested.
        prompt_version: hash of the prompt template.
        settings: hash of the judge's parameters.
        repetition: number of the vote that a re-annotation asked for; None = the recipe's own votes.
        judgments: rows of schema JUDGMENTS, without the replies' texts.
    """

    task: str
    judge: str
    model: str
    prompt_version: str
    settings: str
    repetition: int | None = None
    judgments: pa.Table

    @property
    def label(self) -> str:
        """Judge, model, prompt and parameters, and the repetition of a re-annotation, for a person."""
        again = "" if self.repetition is None else f", asked again (vote {self.repetition})"
        return f"{self.judge}/{self.model}, prompt {self.prompt_version[:8]}, settings {self.settings[:8]}{again}"


def inquiries_of(judgments: pa.Table, again: pa.Table | None = None) -> list[InquiryRows]:
    """Return the inquiries of a workspace, in the order of their first rows, those of re-annotations last.

    Args:
        judgments: table of schema JUDGMENTS, of the recipe's judges.
        again: likewise, of re-annotations; rows that are also in ``judgments`` count there.
    """
    found = [InquiryRows(**kind, judgments=rows) for kind, rows in _parts(judgments, _KEYS)]
    if again is not None:
        new = again.filter(pc.invert(pc.is_in(again["judgment_id"], value_set=judgments["judgment_id"].combine_chunks())))
        for kind, rows in _parts(new, (*_KEYS, "vote")):
            found.append(InquiryRows(repetition=kind.pop("vote"), **kind, judgments=rows))
    return found


def _parts(judgments: pa.Table, by: tuple[str, ...]) -> Iterator[tuple[dict[str, Any], pa.Table]]:
    judgments = judgments.drop_columns(["completion"])
    for kind in judgments.select(list(by)).group_by(list(by), use_threads=False).aggregate([]).to_pylist():
        rows = judgments
        for name in by:
            rows = rows.filter(pc.equal(rows[name], kind[name]))
        yield kind, rows


def couples(inquiries: Sequence[InquiryRows]) -> Iterator[tuple[tuple[InquiryRows, pa.Table], tuple[InquiryRows, pa.Table]]]:
    """Yield, with their rulings, every two inquiries of one task of which the first is the recipe's own."""
    ruled = [(inquiry, rulings(inquiry.judgments)) for inquiry in inquiries] if len(inquiries) > 1 else []
    for first, second in combinations(ruled, 2):
        if first[0].task == second[0].task and first[0].repetition is None:
            yield first, second
