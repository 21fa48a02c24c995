"""The items of one split of a release, as a benchmark sees them: ids, truth, leakage groups, and what tells parts apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.errors import DataError, RecipeError
from scoring.audit.association import FEWEST_GROUPS, numbered
from scoring.bench.accuracy import Facets
from scoring.bench.intervals import Floats, Ints
from scoring.bench.preference_cycles import Clips
from storage import release_manifest
from storage.columns import GROUP
from storage.release_manifest import File
from storage.release_reader import columns_of, read_shard, release_at, shards_of
from storage.workspace import Workspace

FACETS: Final = ("corpus", "style", "setting", "language", "category", "pair_kind", "corruption", "flaw")
"""Columns by which accuracy is told apart, where a release has them."""

CROSSED: Final = (*((name,) for name in FACETS), ("style", "setting"), ("style", "corpus"))

Subject = Literal["pairs", "samples"]
Unit = Literal["leakage groups", "clips"]


@dataclass(frozen=True, kw_only=True)
class OpenRelease:
    """A release and its shards.

    Attributes:
        workspace: the folder that it lies in.
        folder: its own name there.
        version: version of its recipe.
        digest: hash of its content.
        shards: configuration and split -> shards in order.
        compartments: split -> the compartment that it is a part of, where that is not the split itself.
    """

    workspace: Workspace
    folder: str
    version: str
    digest: str
    shards: Mapping[tuple[str, str], list[File]]
    compartments: release_manifest.Compartments

    @classmethod
    def of(cls, url: str) -> "OpenRelease":
        """Open the release in a folder, or at a URL.

        Raises:
            DamagedPart: it is no complete release.
            StorageError: it cannot be read.
        """
        workspace, folder = release_at(url)
        manifest = release_manifest.read_whole(workspace.filesystem, workspace.path(folder))
        return cls(
            workspace=workspace,
            folder=folder,
            version=manifest.version,
            digest=release_manifest.content_digest(manifest.files, manifest.compartments),
            shards=shards_of(workspace, folder),
            compartments=manifest.compartments,
        )

    @property
    def name(self) -> str:
        """Version and digest, as the folder of a new release is called."""
        return f"{self.version}-{self.digest}"

    def are_apart(self, split: str, other: str) -> bool:
        """Return whether two splits share nothing: they are in two compartments."""
        return self.compartments.get(split, split) != self.compartments.get(other, other)

    def shards_in(self, configuration: str, split: str) -> Sequence[File]:
        """Return the shards of a split.

        Raises:
            RecipeError: there is no such split with rows.
        """
        if found := [file for file in self.shards.get((configuration, split), ()) if file.rows]:
            return found
        there = [
            name for (config, name), files in self.shards.items() if config == configuration and any(f.rows for f in files)
        ]
        raise RecipeError(f"configuration {configuration} has no rows in split {split!r}: --split takes {', '.join(there)}")

    def chosen(self, configuration: str | None) -> str:
        """Return the configuration that is asked for, or the only one that can be judged.

        Raises:
            RecipeError: it is not there, or one of several must be named.
        """
        there = sorted({config for config, _ in self.shards})
        if configuration is not None:
            if configuration not in there:
                raise RecipeError(f"{self.folder} has no configuration {configuration!r}: it has {', '.join(there)}")
            return configuration
        if len(there) != 1:
            raise RecipeError(f"{self.folder} has several configurations: name one with --configuration: {', '.join(there)}")
        return there[0]

    def items(self, configuration: str | None, split: str) -> "ReleasedItems":
        """Return the items of a split.

        Raises:
            RecipeError: there is no such configuration or split, or its rows have no label and no scores.
            DataError: a row has none.
            DamagedPart: a shard was changed.
        """
        name = self.chosen(configuration)
        shards = self.shards_in(name, split)
        columns = columns_of(self.workspace, self.folder, shards[0])
        about = _subject(columns)
        if about is None:
            raise RecipeError(
                f"configuration {name} has neither pairs with a label nor clips with scores: nothing can be judged"
            )
        rows = pa.concat_tables([read_shard(self.workspace, self.folder, shard, columns) for shard in shards])
        return ReleasedItems(release=self.name, configuration=name, split=split, about=about, rows=rows)


def _subject(columns: Sequence[str]) -> Subject | None:
    if {"label", "audio_a", "audio_b"} <= set(columns):
        return "pairs"
    return "samples" if "audio" in columns and {"scores", "rating"} & set(columns) else None


@dataclass(frozen=True, kw_only=True, eq=False)
class ReleasedItems:
    """The items of one split.

    Attributes:
        release: version and digest of the release.
        configuration: its configuration.
        split: the split.
        about: the sort of items, as tasks name them: pairs, or single clips.
        rows: the released rows; a column of clips holds their audio ids.
    """

    release: str
    configuration: str
    split: str
    about: Subject
    rows: pa.Table

    @property
    def id_column(self) -> str:
        """Column with the item's id."""
        return str(self.rows.column_names[0])

    @cached_property
    def ids(self) -> list[str]:
        """Ids of the items, in the order of the release."""
        found: list[str] = self.rows[self.id_column].to_pylist()
        return found

    @cached_property
    def units(self) -> Ints:
        """What intervals are drawn of (see ``scoring.bench.intervals``): leakage groups, or clips where those are too few."""
        if self.intervals_over == "leakage groups":
            return numbered(self.rows[GROUP].to_pylist())
        if self.about == "samples":
            return np.arange(len(self.ids))
        clips = numbered([clip for side in "ab" for clip in self.rows[f"audio_{side}"].to_pylist()])
        return clips.reshape(2, -1).T

    @property
    def intervals_over(self) -> Unit:
        """What these are."""
        return "clips" if len(pc.unique(self.rows[GROUP])) < FEWEST_GROUPS else "leakage groups"

    @cached_property
    def truth(self) -> Ints:
        """Sign of the better clip of each pair: 1 for A, -1 for B.

        Raises:
            DataError: a pair has another label, or none.
        """
        labels = self.rows["label"].to_pylist()
        for row, label in enumerate(labels):
            if label not in {"a", "b"}:
                raise DataError(f"{self}, row {row}, label: {label!r} is neither a nor b; {self.id_column} {self.ids[row]}")
        return np.array([1 if label == "a" else -1 for label in labels])

    @cached_property
    def true_leads(self) -> dict[str, Floats]:
        """Dimension -> score of A minus score of B by the judge of the release; NaN where it gave none."""
        if not {"scores_a", "scores_b"} <= set(self.rows.column_names):
            return {}
        sides = [
            [{one["dimension"]: one["score"] for one in scores or ()} for scores in self.rows[f"scores_{side}"].to_pylist()]
            for side in "ab"
        ]
        names = dict.fromkeys(name for scores in sides[0] for name in scores)
        return {
            name: np.array([_lead(a.get(name), b.get(name)) for a, b in zip(*sides, strict=True)], dtype=float)
            for name in names
        }

    @cached_property
    def true_scores(self) -> dict[str, Floats]:
        """Scale -> score of each clip, the mean before rounding where there is one; NaN = not rated on it."""
        if "scores" in self.rows.column_names:
            rated = [
                {one["scale"]: one["score"] if one["mean"] is None else one["mean"] for one in scores or ()}
                for scores in self.rows["scores"].to_pylist()
            ]
        else:
            scales, ratings = (self.rows[name].to_pylist() for name in ("scale", "rating"))
            rated = [{scale: rating} for scale, rating in zip(scales, ratings, strict=True)]
        names = dict.fromkeys(name for scores in rated for name in scores)
        return {name: np.array([scores.get(name, np.nan) for scores in rated], dtype=float) for name in names}

    @property
    def facets(self) -> Facets:
        """What tells parts of the pairs apart: those of ``FACETS`` that the release has."""
        rows = self.rows
        if {"corruption_a", "corruption_b"} <= set(rows.column_names):
            rows = rows.append_column("corruption", pc.coalesce(rows["corruption_a"], rows["corruption_b"]))
        return {name: rows[name].to_pylist() for name in FACETS if name in rows.column_names}

    @property
    def rated(self) -> Clips | None:
        """The clips of pairs with their ratings; None = the pairs have none."""
        if not {"rating_a", "rating_b"} <= set(self.rows.column_names):
            return None
        ratings = [self.rows[f"rating_{side}"].to_numpy() for side in "ab"]
        clips = [self.rows[f"audio_{side}"].to_pylist() for side in "ab"]
        return Clips(a=clips[0], b=clips[1], rating_a=ratings[0], rating_b=ratings[1], source=self.rows["corpus"].to_pylist())

    def __str__(self) -> str:
        return f"release {self.release}, {self.configuration}/{self.split}"


def _lead(a: Any, b: Any) -> float:
    return np.nan if a is None or b is None else a - b
