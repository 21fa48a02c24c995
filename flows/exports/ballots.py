"""The votes behind the pairs of a release: a release counts them by value, the workspace knows who cast them."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from flows.listening.evidence import counted_votes
from flows.published.rederivation import CHOSEN_RATE
from flows.run.pipeline import Build
from flows.stages.release import pairs_were_voted_on
from scoring.reliability.agreement_levels import TERNARY, annotator_rates

COLUMNS: Final = ("ballots", "chosen")
"""What is added to a released row: its votes, in order, and whether nobody among the voters agrees too little with others."""

_OF_VOTE: Final = ["pair_id", "annotator_id", "value", "text_accurate_a", "text_accurate_b"]


def ballots_of(builds: Iterable[Build]) -> dict[str, Mapping[str, Any]]:
    """Return pair -> ``ballots`` and ``chosen``, of all builds whose pairs people voted on with five points.

    An annotator of fewer than ten pairs is not rated, and speaks against no pair.
    """
    found: dict[str, Mapping[str, Any]] = {}
    for build in builds:
        if not pairs_were_voted_on(build):
            continue
        votes = counted_votes(build)
        votes = votes.filter(pc.invert(pc.fill_null(votes["aggregated"], False)))
        votes = votes.filter(pc.is_in(votes["value"], value_set=pa.array(list(TERNARY))))
        rates = annotator_rates(votes)
        poor = rates.filter(pc.less_equal(rates["rate"], CHOSEN_RATE))["annotator_id"].to_pylist()
        cast: dict[str, list[dict[str, Any]]] = {}
        for vote in votes.select(_OF_VOTE).to_pylist():
            cast.setdefault(vote["pair_id"], []).append(vote)
        found |= {
            pair: {"ballots": some, "chosen": not any(vote["annotator_id"] in poor for vote in some)}
            for pair, some in cast.items()
        }
    return found
