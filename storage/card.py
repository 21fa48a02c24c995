"""The data set card (README.md) of a release: a YAML header that the Hub and ``datasets`` read, and a page for people.

Everything on the page that comes from data or from a recipe is escaped, so that a system called ``a|b`` or a transcript with
``<script>`` stays text.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import jinja2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import yaml

from contracts.errors import SchemaError
from storage.columns import Count, ReleaseSchema

# SPDX identifiers that the Hub knows under another name than their own in lower case.
_HUB_LICENSES: Final = {
    "GPL-2.0-only": "gpl-2.0",
    "GPL-2.0-or-later": "gpl-2.0",
    "GPL-3.0-only": "gpl-3.0",
    "GPL-3.0-or-later": "gpl-3.0",
    "LGPL-3.0-only": "lgpl-3.0",
    "LGPL-3.0-or-later": "lgpl-3.0",
}
_HUB_KNOWN: Final = frozenset(
    {
        "apache-2.0",
        "mit",
        "bsd-2-clause",
        "bsd-3-clause",
        "cc0-1.0",
        "cc-by-2.0",
        "cc-by-3.0",
        "cc-by-4.0",
        "cc-by-sa-3.0",
        "cc-by-sa-4.0",
        "cc-by-nc-2.0",
        "cc-by-nc-3.0",
        "cc-by-nc-4.0",
        "cc-by-nd-4.0",
        "cc-by-nc-nd-3.0",
        "cc-by-nc-nd-4.0",
        "cc-by-nc-sa-2.0",
        "cc-by-nc-sa-3.0",
        "cc-by-nc-sa-4.0",
        "gpl-2.0",
        "gpl-3.0",
        "lgpl-3.0",
        "mpl-2.0",
        "isc",
        "zlib",
        "unlicense",
    }
)

_NO_LANGUAGE: Final = re.compile(r"und|mul|mis|zxx|q[a-t][a-z]")
"""ISO 639 codes of no one language: undetermined, several, uncoded, none, and those for private use."""

_SIZES: Final = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
)


@dataclass(frozen=True, kw_only=True)
class Funnel:
    """What one stage did with its rows: in = out + failed + dropped."""

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
    """A language model that wrote a part of the rows: cleaned or invented texts, scenes, texts that do not fit."""

    task: str
    model: str
    prompt_versions: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Mixed:
    """What more than one version made.

    Attributes:
        what: a system, metric or judge.
        versions: version as rows report it -> rows.
    """

    what: str
    versions: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the card says beyond what the rows themselves tell.

    Attributes:
        pretty_name: title.
        version: version that the recipe gives the release.
        funnel: the books of every stage, in order.
        leakage: the proof that the splits are disjoint.
        annotations_creators: the Hub's words for who annotated: machine-generated, crowdsourced, expert-generated.
        judge_statement: what kind of judge labelled the rows, and what it is not.
        writers: language models that wrote a part of the rows, in the order in which they were asked.
        mixed: what was made by several versions, over the released rows.
        recipe_digest: hash of the recipe.
        attribution: corpus -> who made it, as its licence asks.
        seed: the recipe's seed.
    """

    pretty_name: str
    version: str
    funnel: Sequence[Funnel]
    leakage: Sequence[Disjoint]
    annotations_creators: Sequence[str] = ("machine-generated",)
    judge_statement: str = ""
    writers: Sequence[Writer] = ()
    mixed: Sequence[Mixed] = ()
    recipe_digest: str = ""
    attribution: Mapping[str, str] = field(default_factory=dict)
    seed: int | None = None


_FRAME: Final = {
    "language": Count(columns=("language",)),
    "license": Count(columns=("license",)),
    "corpus": Count(columns=("corpus", "license")),
}
"""What every card counts."""

_UNKNOWN: Final = "unknown"


class Tally:
    """Counts what goes into a release while its rows stream by.

    Attributes:
        schemas: configuration -> release schema; all are of one sort of item.
        rows: configuration and split -> rows.
        labels: configuration and split -> label -> rows.
        synthetic: whether a machine spoke one of the clips.
    """

    def __init__(self, schemas: Mapping[str, ReleaseSchema]) -> None:
        """Count nothing yet.

        Raises:
            SchemaError: the configurations are of several sorts of items, for which there is no card.
        """
        self.schemas = schemas
        bodies = {schema.body.template: schema.body for schema in schemas.values()}
        if len(bodies) != 1:
            raise SchemaError(f"a release holds one sort of item; got {', '.join(sorted(bodies)) or 'none'}")
        (self.body,) = bodies.values()
        self.rows: dict[tuple[str, str], int] = {}
        self.labels: dict[tuple[str, str], Counter[str]] = {}
        self.synthetic = False
        self._declared = {**_FRAME, **self.body.counts}
        self._counts: dict[str, Counter[Any]] = {name: Counter() for name in self._declared}

    def open(self, config: str, split: str) -> None:
        """Begin a split, so that one without rows is counted too."""
        self.rows[config, split], self.labels[config, split] = 0, Counter()

    def add(self, config: str, split: str, rows: pa.Table) -> None:
        """Count a table of release rows; columns that it lacks are not counted."""
        schema = self.schemas[config]
        self.rows[config, split] += rows.num_rows
        if schema.label_column is not None:
            self.labels[config, split].update(_values(rows, [schema.label_column]))
        for what, count in self._declared.items():
            for names in count.names():
                self._counts[what].update(_values(rows, names, count.bounds))
        spoken = (rows[name] for name in schema.synthetic_columns if name in rows.column_names)
        self.synthetic = self.synthetic or any(pc.any(column).as_py() for column in spoken)

    def sorted(self, what: str) -> list[tuple[Any, int]]:
        """Return the counted values of one kind, most frequent first; numbers in bins in their order, the empty ones too."""
        bounds = self._declared[what].bounds
        if bounds:
            found = [(word, self._counts[what][word]) for word in _words(bounds)]
            unknown = self._counts[what][_UNKNOWN]
            return [*found, (_UNKNOWN, unknown)] if unknown else found
        return sorted(self._counts[what].items(), key=lambda item: (-item[1], str(item[0])))

    def records(self, what: str) -> list[tuple[dict[str, Any], int]]:
        """Return the same with the values of several columns by name."""
        return [(dict(zip(self._declared[what].columns, values, strict=True)), n) for values, n in self.sorted(what)]

    def values(self, what: str) -> list[str]:
        """Return the single-column values of one kind in alphabetical order."""
        return sorted({value for value in self._counts[what] if value is not None})


def _values(rows: pa.Table, columns: Sequence[str], bounds: Sequence[float] = ()) -> dict[Any, int]:
    if not set(columns) <= set(rows.column_names):
        return {}
    if bounds:
        rows = rows.select(columns).set_column(0, columns[0], _binned(rows[columns[0]], bounds))
    grouped = rows.select(columns).group_by(list(columns)).aggregate([([], "count_all")])
    keys = zip(*(grouped[column].to_pylist() for column in columns), strict=True)
    return {key if len(columns) > 1 else key[0]: n for key, n in zip(keys, grouped["count_all"].to_pylist(), strict=True)}


def _words(bounds: Sequence[float]) -> list[str]:
    return [*(f"up to {bound:g}" for bound in bounds), f"more than {bounds[-1]:g}"]


def _binned(column: pa.ChunkedArray, bounds: Sequence[float]) -> pa.Array:
    """Return the bin of each number, in words; 3.7 - 3.5 is 0.2, whatever is left of binary fractions."""
    numbers = pc.round(column.cast(pa.float64()), 9).to_numpy()
    words = pa.array([*_words(bounds), _UNKNOWN]).take(pa.array(np.digitize(numbers, bounds, right=True)))
    return pc.if_else(pc.is_valid(column), words, _UNKNOWN)


def escape(value: object) -> str:
    """Return ``value`` as Markdown that shows just its characters, on one line: also inside a table and against HTML."""
    text = " ".join(("-" if value is None else str(value)).split())
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_{}\[\]()#+!|~$])", r"\\\1", text)


def hub_license(spdx: str) -> str:
    """Return the Hub's identifier of a licence; ``other`` for one that it does not know."""
    name = _HUB_LICENSES.get(spdx, spdx.lower())
    return name if name in _HUB_KNOWN else "other"


def hub_languages(tags: Iterable[str]) -> list[str]:
    """Return the ISO 639 codes of BCP 47 tags, sorted: the Hub takes two or three small letters and no regions or scripts.

    ``mixed`` is Chinese and English. Tags that name no language are left out.
    """
    found = set[str]()
    for tag in tags:
        code = re.split(r"[-_]", tag.strip())[0].lower()
        found |= {"en", "zh"} if code == "mixed" else {code}
    return sorted(code for code in found if re.fullmatch(r"[a-z]{2,3}", code) and not _NO_LANGUAGE.fullmatch(code))


def size_category(rows: int) -> str:
    """Return the Hub's word for a number of rows."""
    return next((word for limit, word in _SIZES if rows < limit), "n>10M")


def header(facts: Facts, tally: Tally) -> dict[str, Any]:
    """Return the card's YAML header as literals."""
    licenses = tally.values("license")
    hub = sorted({hub_license(part) for spdx in licenses for part in re.split(r" (?:AND|OR|WITH) |[()]", spdx) if part})
    configs: dict[str, list[dict[str, str]]] = {}
    for (config, split), rows in tally.rows.items():
        if rows:
            configs.setdefault(config, []).append({"split": split, "path": f"{config}/{split}-*.parquet"})
    languages = hub_languages(tally.values("language"))
    found: dict[str, Any] = {"pretty_name": facts.pretty_name} | ({"language": languages} if languages else {})
    found["license"] = hub[0] if len(hub) == 1 else hub
    if "other" in hub:
        found["license_name"] = "per-row-licenses"
        found["license_link"] = "README.md"
    return found | {
        "annotations_creators": list(facts.annotations_creators),
        "language_creators": ["found"],
        "multilinguality": ["monolingual" if len(languages) < 2 else "multilingual"],
        "source_datasets": ["original"],
        "size_categories": [size_category(sum(tally.rows.values()))],
        "task_categories": ["audio-classification", "text-to-speech"],
        "tags": ["audio", "speech", "reward-model", "preference", "synthetic", "speech-quality"],
        "configs": [{"config_name": config, "data_files": files} for config, files in configs.items()],
    }


def render(facts: Facts, tally: Tally) -> str:
    """Return the whole card.

    Args:
        facts: what the build knows.
        tally: what the rows told, and the schemas whose columns the card explains.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=False,  # noqa: S701  every expression goes through ``escape`` instead, which knows Markdown and HTML both
        finalize=lambda value: value.text if isinstance(value, Verbatim) else escape(value),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    columns = {
        config: [
            (column.name, str(column.type), (column.metadata or {}).get(b"meaning", b"").decode()) for column in schema.columns
        ]
        for config, schema in tally.schemas.items()
    }
    top = yaml.safe_dump(header(facts, tally), sort_keys=False, allow_unicode=True, default_flow_style=False, width=1000)
    labels = {label: words for schema in tally.schemas.values() for label, words in schema.labels.items()}
    return environment.get_template(tally.body.template).render(
        top=Verbatim(text=top),
        facts=facts,
        tally=tally,
        labels=labels,
        splits=[(config, split, rows, tally.labels[config, split]) for (config, split), rows in tally.rows.items()],
        columns=columns,
        example=_example(tally),
    )


def _example(tally: Tally) -> dict[str, Any]:
    """Return the first split with rows and its columns of clips, for the code that shows how to load it."""
    config, split = next((key for key, rows in tally.rows.items() if rows), next(iter(tally.rows)))
    schema = tally.schemas[config]
    lists = schema.audio_list_columns
    clips = [f'"{name}"' for name in schema.audio_columns if name not in lists]
    one_or_more = f"{clips[0]}," if len(clips) == 1 else ", ".join(clips)
    return {
        "config": Verbatim(text=config),
        "split": Verbatim(text=split),
        "clips": Verbatim(text=one_or_more),
        "lists": [Verbatim(text=name) for name in lists],
    }


@dataclass(frozen=True, kw_only=True)
class Verbatim:
    """Text of the card that is written as it is."""

    text: str
