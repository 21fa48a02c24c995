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
import yaml

from storage.columns import AUDIO, AUDIOS

_PROVENANCE: Final = ("engine", "engine_version", "model", "voice", "license")

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
        template: template of the card, one for each sort of items.
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
    template: str = "card.md.jinja"


_GAPS: Final = (0.2, 0.5, 1.0)
_GAP_WORDS: Final = ("up to 0.2", "up to 0.5", "up to 1", "more than 1")
"""Bins of the difference of two ratings."""


class Tally:
    """Counts what goes into a release while its rows stream by."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], int] = {}
        self.counts: dict[str, Counter[Any]] = {}
        self.labels: dict[tuple[str, str], Counter[str]] = {}

    def open(self, config: str, split: str) -> None:
        """Begin a split, so that one without rows is counted too."""
        self.rows[config, split], self.labels[config, split] = 0, Counter()

    def add(self, config: str, split: str, rows: pa.Table) -> None:
        """Count a table of release rows; columns that its schema lacks are not counted."""
        self.rows[config, split] += rows.num_rows
        if "label" in rows.column_names:
            self.labels[config, split].update(_values(rows, ["label"]))
        for what, columns in {
            "language": ["language"],
            "setting": ["setting", "style"],
            "pair_kind": ["pair_kind"],
            "license": ["license"],
            "corpus": ["corpus", "license"],
            "judge": ["judge", "judge_version", "judge_model", "prompt_version"],
            "scale": ["scale"],
        }.items():
            self.counts.setdefault(what, Counter()).update(_values(rows, columns))
        for side in "ab":
            clips = ["system", *_PROVENANCE, "is_synthetic", "digital_source_type"]
            self.counts.setdefault("clip", Counter()).update(_values(rows, [f"{column}_{side}" for column in clips]))
            rated = ["system", "condition", "license", "is_synthetic"]
            self.counts.setdefault("rated_clip", Counter()).update(_values(rows, [f"{column}_{side}" for column in rated]))
        if "rating_gap" in rows.column_names:
            bins = np.digitize(rows["rating_gap"].to_numpy(), _GAPS, right=True)
            self.counts.setdefault("gap", Counter()).update(_GAP_WORDS[place] for place in bins)

    def sorted(self, what: str) -> list[tuple[Any, int]]:
        """Return the counted values of one kind, most frequent first."""
        return sorted(self.counts.get(what, Counter()).items(), key=lambda item: (-item[1], str(item[0])))

    def values(self, what: str) -> list[str]:
        """Return the single-column values of one kind in alphabetical order."""
        return sorted({value for value in self.counts.get(what, Counter()) if value is not None})


def _values(rows: pa.Table, columns: Sequence[str]) -> dict[Any, int]:
    if not set(columns) <= set(rows.column_names):
        return {}
    grouped = rows.select(columns).group_by(list(columns)).aggregate([([], "count_all")])
    keys = zip(*(grouped[column].to_pylist() for column in columns), strict=True)
    return {key if len(columns) > 1 else key[0]: n for key, n in zip(keys, grouped["count_all"].to_pylist(), strict=True)}


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


def render(facts: Facts, tally: Tally, schemas: Mapping[str, pa.Schema]) -> str:
    """Return the whole card.

    Args:
        facts: what the build knows.
        tally: what the rows told.
        schemas: configuration -> release schema, whose columns the card explains.
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
        config: [(column.name, str(column.type), (column.metadata or {}).get(b"meaning", b"").decode()) for column in schema]
        for config, schema in schemas.items()
    }
    top = yaml.safe_dump(header(facts, tally), sort_keys=False, allow_unicode=True, default_flow_style=False, width=1000)
    splits = [(config, split, rows, tally.labels[config, split]) for (config, split), rows in tally.rows.items()]
    names = ("system", *_PROVENANCE, "synthetic", "source")
    clips = [(dict(zip(names, clip, strict=True)), n) for clip, n in tally.sorted("clip")]
    rated = [
        (dict(zip(("system", "condition", "license", "synthetic"), clip, strict=True)), n)
        for clip, n in tally.sorted("rated_clip")
    ]
    return environment.get_template(facts.template).render(
        top=Verbatim(text=top),
        facts=facts,
        tally=tally,
        splits=splits,
        clips=clips,
        rated_clips=rated,
        gaps=[(word, tally.counts.get("gap", Counter())[word]) for word in _GAP_WORDS],
        columns=columns,
        has_synthetic=any(clip["synthetic"] for clip, _ in [*clips, *rated]),
        example=_example(tally, schemas),
    )


def _example(tally: Tally, schemas: Mapping[str, pa.Schema]) -> dict[str, Any]:
    """Return the first split with rows and its columns with several clips, for the code that shows how to load it."""
    config, split = next((key for key, rows in tally.rows.items() if rows), ("", ""))
    columns = schemas.get(config, ())
    lists = [Verbatim(text=column.name) for column in columns if column.type == AUDIOS]
    clips = ", ".join(f'"{column.name}"' for column in columns if column.type == AUDIO)
    return {"config": Verbatim(text=config), "split": Verbatim(text=split), "clips": Verbatim(text=clips), "lists": lists}


@dataclass(frozen=True, kw_only=True)
class Verbatim:
    """Text of the card that is written as it is."""

    text: str
