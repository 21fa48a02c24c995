"""Judged items for the tests of figures, made of plain lists."""

import numpy as np

from scoring.bench.judged import JudgedClips, JudgedPairs


def pairs_of(truth, said, *, units=None, readable=None, leads=None, true_leads=None) -> JudgedPairs:
    """Return pairs; ``said`` has one sign per item, or is nested by order and vote."""
    found = np.array(said)
    found = found.reshape(len(truth), 1, 1) if found.ndim == 1 else found
    return JudgedPairs(
        truth=np.array(truth),
        said=found,
        readable=np.ones(found.shape, dtype=bool) if readable is None else np.array(readable).reshape(found.shape),
        units=np.arange(len(truth)) if units is None else np.array(units),
        leads={name: np.array(values, dtype=float).reshape(found.shape) for name, values in (leads or {}).items()},
        true_leads={name: np.array(values, dtype=float) for name, values in (true_leads or {}).items()},
    )


def right(number: int, n: int) -> JudgedPairs:
    """Return n pairs of which so many are judged right, the truth alternating."""
    truth = np.where(np.arange(n) % 2 == 0, 1, -1)
    return pairs_of(truth, np.where(np.arange(n) < number, truth, -truth))


def clips_of(truth, said) -> JudgedClips:
    """Return clips with one scale, ``overall``, and one vote; None = no score."""
    scores = np.array(said, dtype=float).reshape(len(truth), 1)
    return JudgedClips(
        truth={"overall": np.array(truth, dtype=float)},
        said={"overall": scores},
        readable=~np.isnan(scores),
        units=np.arange(len(truth)),
    )
