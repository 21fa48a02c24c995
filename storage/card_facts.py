"""Facts of the data set card that the released rows do not have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Funnel:
    """The rows of one stage: in = out + failed + dropped."""

    stage: str
    unit: str
    rows_in: int
    rows_out: int
    failed: Mapping[str, int] = field(default_factory=dict)
    dropped: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Disjoint:
    """One line of the leakage proof: how many values of ``key`` two splits share."""

    key: str
    left: str
    right: str
    shared: int


@dataclass(frozen=True, kw_only=True)
class Writer:
    """A language model that wrote a part of the rows: cleaned or new texts, scenes, negative texts."""

    task: str
    model: str
    prompt_versions: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Mixed:
    """Something of which several versions were used.

    Attributes:
        what: a system, metric or judge.
        versions: version as rows report it -> rows.
    """

    what: str
    versions: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """A table of the card.

    Attributes:
        title: its heading.
        columns: headings of its columns, of which the first are words and the others numbers.
        words: how many of the columns are words.
        rows: values, as they are shown.
        note: how to read the table; empty = nothing needs to be said.
        about: the rows beside which a card shows it: rated pairs, or pairs of a text.
        bars: a number a row, which a report draws beside it; empty = none.
    """

    title: str
    columns: Sequence[str]
    words: int
    rows: Sequence[Sequence[object]]
    note: str = ""
    about: Literal["ratings", "pairs"] = "ratings"
    bars: Sequence[float] = ()


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Content of the card beside the rows.

    Attributes:
        pretty_name: title.
        version: the recipe's version of the release.
        funnel: the books of every stage, in order.
        leakage: the proof that the splits are disjoint.
        overlaps: by corpus, or two corpora, the contents that two splits share, where corpora's own splits are respected.
        annotations_creators: the Hub's words for who annotated: machine-generated, crowdsourced, expert-generated.
        judge_statement: what kind of judge labelled the rows.
        statistics: tables about the rows that no count of single rows gives.
        shortcuts: what tells the labels without listening; empty = nobody looked.
        writers: language models that wrote a part of the rows, in the order in which they were asked.
        mixed: what was made by several versions, among the released rows.
        recipe_digest: hash of the recipe.
        attribution: corpus -> its authors, as its licence demands.
        seed: the recipe's seed.
    """

    pretty_name: str
    version: str
    funnel: Sequence[Funnel]
    leakage: Sequence[Disjoint]
    overlaps: Sequence[Disjoint] = ()
    annotations_creators: Sequence[str] = ("machine-generated",)
    judge_statement: str = ""
    statistics: Sequence[Statistics] = ()
    shortcuts: Sequence[Statistics] = ()
    writers: Sequence[Writer] = ()
    mixed: Sequence[Mixed] = ()
    recipe_digest: str = ""
    attribution: Mapping[str, str] = field(default_factory=dict)
    seed: int | None = None
