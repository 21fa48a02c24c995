"""One self-contained HTML page about a build: funnel, win rates, judges, listeners, metric distributions, pairs to listen to.

The template engine escapes every text: corpus texts and judges' replies are untrusted.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import jinja2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from annotate.models.inquiry import Inquiry
from annotate.models.inquiry_rows import InquiryRows, couples
from contracts.joins import among, attach
from contracts.rng import hash_fraction
from flows.run.damage import named_audio
from flows.run.kind import kind_of, questions_of
from flows.run.pipeline import Build
from flows.run.wanted import wanted_rows
from flows.stages.audit_tables import shortcut_tables
from flows.stages.metrics import current_facts
from flows.views.clips_report import clips_content
from flows.views.inline_audio import inline
from flows.views.listeners_report import listeners_content
from flows.views.status import books_of, inquiries, spend_rows
from scoring.reliability.judge_reliability import agreement, drift, reliability
from scoring.win_rates import against, win_rates
from storage.local_files import OUTPUT, atomic_path, storage_errors

PAIRS_PER_FATE: Final = 12
_BINS: Final = 24


def write_report(build: Build, target: Path) -> None:
    """Write the page; that of an unfinished build shows what there is so far.

    Raises:
        StorageError: the file cannot be written.
    """
    page = render("report.html.jinja", _content(build))
    with storage_errors(f"writing {target}", OUTPUT), atomic_path(target.absolute()) as temporary:
        temporary.write_text(page, encoding="utf-8")


def render(template: str, content: Mapping[str, Any]) -> str:
    """Return a rendered template of this folder; every value is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([Path(__file__).parent, "/"]),  # "/" for templates of others, by absolute paths
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template(template).render(**content)


def _content(build: Build) -> dict[str, Any]:
    samples, asked = wanted_rows(build, "samples"), inquiries(build)
    judged = _judged(build)
    kept = among(judged, "pair_id", build.tables.read("labels", ["item_id"])["item_id"])
    rates = win_rates(judged)
    clips = clips_content(build)
    systems = [str(row["system"]) for row in rates] if clips is None else sorted(set(samples["system"].to_pylist()))
    drops = build.tables.read("drops@filters")
    return {
        "recipe": build.recipe,
        "synthetic_corpora": [corpus.name for corpus in build.recipe.corpora if corpus.source_type is not None],
        "problems": build.problems or {},  # filled while the other values are computed
        "books": [(page, state) for page, state in books_of(build)],
        "spend": spend_rows(build),
        "clips": clips,
        "rates": rates,
        "kept_rates": {str(row["system"]): row for row in win_rates(kept)},
        "systems": systems,
        "against": against(judged),
        "judges": judges_content(asked, build.tables.read("pairs"), _unusable(build, asked)),
        "origin": build.recipe.labels_from,
        "sections": kind_of(build).report(build),
        "listeners": listeners_content(build),
        "shortcuts": shortcut_tables(build, in_full=True),
        "metrics": _histograms(current_facts(build), samples, systems),
        "fates": [
            ("Kept pairs", _listening(build, kept, {})),
            (
                "Dropped pairs",
                _listening(build, among(judged, "pair_id", drops["row_id"]), {row["row_id"]: row for row in drops.to_pylist()}),
            ),
        ],
        "judge": sorted(
            {
                (name, version)
                for name, version in zip(judged["judge"].to_pylist(), judged["judge_version"].to_pylist(), strict=True)
                if name is not None
            }
        ),
    }


def _judged(build: Build) -> pa.Table:
    """Return the pairs that have a ruling, with it and with the first judgment that it rests on."""
    ruled = build.tables.read("rulings")
    first = [ids[0] if ids else None for ids in ruled["judgment_ids"].to_pylist()]  # rulings by ratings have no judgments
    ruled = ruled.append_column("first_judgment", pa.array(first, pa.string()))
    names = ("verdict", "total_a", "total_b", "votes_a", "votes_b", "votes_none", "order_flip", "first_judgment")
    pairs = among(build.tables.read("pairs"), "pair_id", ruled["pair_id"])
    pairs = attach(pairs, "pair_id", ruled, "pair_id", {name: name for name in names})
    columns = {name: name for name in ("completion", "judge", "judge_version", "order")}
    first_rows = among(wanted_rows(build, "judgments", 0), "judgment_id", ruled["first_judgment"])
    pairs = attach(pairs, "first_judgment", first_rows, "judgment_id", columns)
    # Judgments are missing if their table is damaged.
    return pairs.filter(pc.or_(pc.is_valid(pairs["judge"]), pc.is_null(pairs["first_judgment"])))


def _unusable(build: Build, asked: Sequence[InquiryRows]) -> list[int | None]:
    """Return for each inquiry how many of its questions got no usable answer.

    None if that is not known: for re-annotations, and for an inquiry with judgments that the recipe does not want any more,
    whose failures may have been removed.
    """
    failures = build.tables.read("failures@judgments", ["row_id", "reason"])
    unasked = pa.array(["missing_audio", "missing_text"])
    failed = failures.filter(pc.invert(pc.is_in(failures["reason"], value_set=unasked)))["row_id"]
    counts: Counter[tuple[str, ...]] = Counter()
    wanted: dict[tuple[str, ...], pa.Array] = {}
    for question in questions_of(build, "judgments"):
        task, judge = question.task, question.judge
        settings = Inquiry.of(task, judge).settings
        lost = pc.is_in(question.ids, value_set=failed).to_pylist()
        for tag, gone in zip(question.requests["language"].to_pylist(), lost, strict=True):
            key = (task.name, judge.name, judge.model, task.prompt_version(tag), settings)
            counts[key] += gone
            wanted[key] = question.ids
    found: list[int | None] = []
    for inquiry in asked:
        key = (inquiry.task, inquiry.judge, inquiry.model, inquiry.prompt_version, inquiry.settings)
        own = inquiry.repetition is None and key in wanted
        whole = own and pc.all(pc.is_in(inquiry.judgments["judgment_id"], value_set=wanted[key])).as_py()
        found.append(counts[key] if whole else None)
    return found


def judges_content(asked: Sequence[InquiryRows], pairs: pa.Table, failed: Sequence[int | None] | None = None) -> dict[str, Any]:
    """Return the content of the section about judges: each inquiry, and each two comparable ones that share pairs.

    Args:
        asked: the inquiries of the workspace.
        pairs: table of schema PAIRS.
        failed: for each inquiry, how many questions got no usable answer; None = not counted.
    """
    comparisons = []
    for (first, before), (second, after) in couples(asked):
        if (agreed := agreement(before, after)).pairs:
            comparisons.append({"first": first, "second": second, "agreement": agreed, "drift": drift(before, after)})
    return {
        "inquiries": [
            (inquiry, reliability(inquiry.judgments, pairs=pairs, failed=lost))
            for inquiry, lost in zip(asked, failed or [None] * len(asked), strict=True)
        ],
        "comparisons": comparisons,
    }


def _histograms(facts: pa.Table, samples: pa.Table, systems: list[str]) -> list[dict[str, Any]]:
    """Return per metric value the bins' range and each system's bin heights (share of its largest bin) and median."""
    table = attach(facts, "sample_id", samples, "sample_id", {"system": "system"})
    charts = []
    for name in facts.column_names[1:]:
        scored = table.filter(pc.and_(pc.is_valid(table[name]), pc.is_valid(table["system"])))  # samples may be damaged
        values = scored[name].to_numpy()
        if not values.size:
            continue
        low, high = np.percentile(values, [0.5, 99.5])
        edges = np.linspace(low, high if high > low else low + 1.0, _BINS + 1)
        rows = []
        for system in systems:
            mine = values[pc.equal(scored["system"], system).to_numpy()]
            if mine.size:
                heights, _ = np.histogram(np.clip(mine, edges[0], edges[-1]), edges)
                rows.append(
                    {"system": system, "median": float(np.median(mine)), "heights": (heights / heights.max()).round(3).tolist()}
                )
        charts.append({"name": name, "low": float(edges[0]), "high": float(edges[-1]), "rows": rows})
    return charts


def _listening(build: Build, pairs: pa.Table, drops: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a sample of pairs with their audio inline; it is the same for the same build."""
    ids = sorted(pairs["pair_id"].to_pylist(), key=lambda pair: hash_fraction(build.recipe.seed, "report", pair))[
        :PAIRS_PER_FATE
    ]
    chosen = among(pairs, "pair_id", pa.array(ids, pa.string()))
    chosen = attach(chosen, "prompt_id", build.tables.read("prompts"), "prompt_id", {"text": "text"})
    samples = wanted_rows(build, "samples")
    for side in ("a", "b"):
        chosen = attach(chosen, f"sample_{side}", samples, "sample_id", {f"audio_{side}": "audio_id"})
    rows: list[dict[str, Any]] = chosen.to_pylist()
    read = named_audio(build)
    for row in rows:
        row["drop"] = drops.get(row["pair_id"])
        for side in ("a", "b"):
            row[f"audio_{side}"], row[f"damage_{side}"] = inline(read, row[f"audio_{side}"])
    return rows
