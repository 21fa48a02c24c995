"""What a kind of data set releases: its configurations, and what the card says of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic

import pyarrow as pa

from flows.run.pipeline import Build, R_contra
from flows.stages import splits
from flows.stages.verification import released_splits
from splits.leakage import LeakageProof
from storage.card_facts import Statistics, Writer
from storage.columns import ReleaseSchema
from storage.rows import Rows


@dataclass(frozen=True, kw_only=True)
class Configuration(Generic[R_contra]):
    """One configuration of a release: rows of one schema.

    Attributes:
        name: its name, such as ``task1``.
        schema: release schema of its rows.
        rows: joins the rows, batch by batch, and decides which items have some: all, or those with a critique.
        is_wanted: whether the recipe asks for it.
        in_pieces: whether the rows of a large release can be joined piece by piece: each is about one prompt. Rows that are not
            are joined from the whole tables, which must then fit into memory.
        annotated: the Hub's word for who made what it adds to the first configuration; None = nobody else.
        members: returns the items that may have rows with their splits, of schema SPLITS.
        splits: returns each of its splits -> the assigned split that it is a part of.
    """

    name: Callable[[Build[R_contra]], str]
    schema: Callable[[Build[R_contra]], ReleaseSchema]
    rows: Callable[[Build[R_contra]], Rows]
    is_wanted: Callable[[Build[R_contra]], bool] = lambda _build: True
    in_pieces: bool = True
    annotated: str | None = None
    members: Callable[[Build[R_contra]], pa.Table] = released_splits
    splits: Callable[[Build[R_contra]], Mapping[str, str]] = lambda build: build.recipe.splits.released()


@dataclass(frozen=True, kw_only=True)
class Form(Generic[R_contra]):
    """What a kind of data set releases.

    Attributes:
        reads: tables of which rows and card are made, beside splits and votes.
        configurations: in the order of the card. The books count the rows of the first one that is wanted. All rows go by the
            splits of the items.
        subsets: returns configurations in place of these, of recipes that name some; none = these.
        proof: proves that no two splits share anything that could leak.
        statement: what the card says of where the labels come from, as sentences.
        identity: what decides the rows beyond the tables and the recipe, as literals.
        statistics: tables of the card.
        writers: the language models that wrote something that is released.
        annotated: the Hub's word for who made the labels and scores, beside listeners who vote on pairs.
        versioned: tables of which the card says where several versions made them.
    """

    reads: tuple[str, ...]
    configurations: tuple[Configuration[R_contra], ...]
    subsets: Callable[[Build[R_contra]], Sequence[Configuration[R_contra]]] = lambda _build: ()
    proof: Callable[[Build[R_contra]], LeakageProof] = splits.proof
    statement: Callable[[Build[R_contra]], str]
    identity: Callable[[Build[R_contra]], object] = lambda _build: []
    statistics: Callable[[Build[R_contra]], list[Statistics]] = lambda _build: []
    writers: Callable[[Build[R_contra]], list[Writer]] = lambda _build: []
    annotated: Callable[[Build[R_contra]], str] = lambda _build: "machine-generated"
    versioned: tuple[str, ...] = ("metrics",)

    def wanted(self, build: Build[R_contra]) -> Mapping[str, Configuration[R_contra]]:
        """Return name -> configuration that the recipe asks for, in the order of the card."""
        found = self.subsets(build) or [one for one in self.configurations if one.is_wanted(build)]
        return {one.name(build): one for one in found}
