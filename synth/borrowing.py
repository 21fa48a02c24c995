"""Borrowed recordings: a clip that is another recording of the corpora than its text's own, or that clones one.

Leakage decides what may be borrowed: it ties a prompt to the recording for good, in one split. So a prompt borrows from its
block only: the dialogue that its target is a turn of, else the texts that hash to one number, as the dialogue itself does where
another corpus is borrowed from. Blocks are then what splits keep together, instead of the whole corpus.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from contracts.emotions import emotion
from contracts.joins import sorted_by
from contracts.rng import hash_fraction
from contracts.text_forms import keyed
from contracts.text_identity import identity_form

Relation = Literal["same", "other", "any"]

UTTERANCE_COLUMNS: Final = (
    *("utterance_id", "corpus", "text", "language", "speaker_id", "emotion", "dialogue_id", "duration_s", "audio_path"),
    *("problem", "system"),
)


@dataclass(frozen=True, kw_only=True)
class Borrowed:
    """Which recording of a prompt's block is taken, by how it relates to the target, the recording of the prompt's text.

    A recording whose corpus does not say what is compared is neither the same nor another.

    Attributes:
        corpus: corpus; None = that of the text.
        text: of what is said.
        speaker: of who speaks.
        emotion: of the emotion that its corpus labels it with.
        unlabelled: emotion of recordings whose corpus labels none, such as neutral for one that is read; None = unknown.
    """

    corpus: str | None = None
    text: Relation = "any"
    speaker: Relation = "any"
    emotion: Relation = "any"
    unlabelled: str | None = None


def relates(value: object, other: object, relation: Relation) -> bool:
    """Tell whether two values, None where unknown, are the same or differ as the relation says."""
    if relation == "any":
        return True
    return value is not None and other is not None and (value == other) == (relation == "same")


class Blocks:
    """The recordings that prompts may borrow, by corpus and block."""

    def __init__(self, utterances: pa.Table, *, blocks: int, seed: int) -> None:
        """Take the usable recordings of people.

        Args:
            utterances: columns UTTERANCE_COLUMNS of schema UTTERANCES.
            blocks: into how many blocks texts are put.
            seed: the recipe's seed.
        """
        self._blocks, self._seed = blocks, seed
        self._known = dict[str, dict[str, Any]]()
        self._numbers = dict[object, int]()
        members = defaultdict[tuple[str, str], list[dict[str, Any]]](list)
        for row in sorted_by(utterances.select(UTTERANCE_COLUMNS), "utterance_id").to_pylist():
            if row["problem"] is not None or row["system"] is not None or row["text"] is None or row["audio_path"] is None:
                continue
            row["identity"] = identity_form(keyed(row["text"]))
            row["emotion"] = emotion(row["emotion"])
            row["speaker"] = None if row["speaker_id"] is None else (row["corpus"], row["speaker_id"])
            self._known[row["utterance_id"]] = row
            for block in {self._block(row), self._block(row, row["corpus"])}:
                members[row["corpus"], block].append(row)
        self._members = {key: self._columns(rows) for key, rows in members.items()}

    def _block(self, row: Mapping[str, Any], corpus: str | None = None) -> str:
        """Return the block of a recording among those of its own corpus, or of others."""
        if row["dialogue_id"] is None:
            # A text has one block in all corpora: two that bring it along share the block already.
            key = f"{row['language']}/{row['identity']}"
        elif row["corpus"] == corpus:
            return f"dialogue {row['dialogue_id']}"
        else:
            key = f"dialogue {row['corpus']}/{row['dialogue_id']}"
        return str(int(hash_fraction(self._seed, "block", key) * self._blocks))

    def _number(self, value: object) -> int:
        """Return the number of a value; -1 = unknown."""
        return -1 if value is None else self._numbers.setdefault(value, len(self._numbers))

    def _columns(self, rows: Sequence[Mapping[str, Any]]) -> "_Columns":
        numbers = {name: np.array([self._number(row[name]) for row in rows]) for name in _COMPARED}
        lengths = np.array([math.nan if row["duration_s"] is None else row["duration_s"] for row in rows])
        ids = [row["utterance_id"] for row in rows]
        return _Columns(ids=ids, numbers=numbers, lengths=lengths, hashes=np.array([self._hash(one) for one in ids], np.uint64))

    def _hash(self, key: str) -> int:
        return int(hash_fraction(self._seed, "borrow", key) * 2**56)

    def recording(self, utterance_id: str | None) -> Mapping[str, Any] | None:
        """Return the recording; None = there is none that can be used."""
        return self._known.get(utterance_id or "")

    def borrowed(
        self, target: Mapping[str, Any], borrowed: Borrowed, key: str, lengths: tuple[float, float] = (0.0, math.inf)
    ) -> Mapping[str, Any] | None:
        """Return the recording of the target's block that fits, the first by hash, never the target; None = none fits.

        Args:
            target: the recording of the text.
            borrowed: which others fit.
            key: what the choice is fixed by, beside the seed.
            lengths: shortest and longest, in s; an unknown length passes.
        """
        corpus = borrowed.corpus or target["corpus"]
        if (there := self._members.get((corpus, self._block(target, corpus)))) is None:
            return None
        own, unlabelled = {name: self._number(target[name]) for name in _COMPARED}, self._number(emotion(borrowed.unlabelled))
        acted = there.numbers["emotion"]
        fits = (
            _related(there.numbers["utterance_id"], own["utterance_id"], "other")
            & _related(there.numbers["language"], own["language"], "same")
            & _related(there.numbers["identity"], own["identity"], borrowed.text)
            & _related(there.numbers["speaker"], own["speaker"], borrowed.speaker)
            & _related(np.where(acted < 0, unlabelled, acted), own["emotion"], borrowed.emotion)
            & ~((there.lengths < lengths[0]) | (there.lengths > lengths[1]))
        )
        places = np.flatnonzero(fits)
        if not len(places):
            return None
        ranks = _mixed(there.hashes[places] ^ np.uint64(self._hash(key)))
        return self._known[there.ids[places[np.argmin(ranks)]]]


_COMPARED: Final = ("utterance_id", "language", "identity", "speaker", "emotion")
_Numbers = npt.NDArray[np.int64]
_Hashes = npt.NDArray[np.uint64]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Columns:
    """Some recordings: their ids, what is compared as numbers, lengths in s (NaN = unknown), and the hashes of the ids."""

    ids: Sequence[str]
    numbers: Mapping[str, _Numbers]
    lengths: npt.NDArray[np.float64]
    hashes: _Hashes


def _related(values: _Numbers, own: int, relation: Relation) -> npt.NDArray[np.bool_]:
    """Tell which values are the same as the target's or differ, as the relation says; what is unknown does neither."""
    related = np.ones(len(values), np.bool_)
    if relation == "any":
        return related
    np.logical_and(values >= 0, (values == own) == (relation == "same"), out=related)
    return related & (own >= 0)


def _mixed(hashes: _Hashes) -> _Hashes:
    """Return well-mixed bits (the finaliser of MurmurHash3): one hash per pair would take a hundred times as long."""
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        hashes = (hashes ^ (hashes >> np.uint64(33))) * np.uint64(factor)
    return hashes ^ (hashes >> np.uint64(33))
