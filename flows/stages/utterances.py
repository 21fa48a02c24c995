"""The stage ``utterances``: all corpora are read."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from contracts import plugins
from contracts.conformance import conform
from contracts.errors import DataError, RecipeError, SchemaError
from contracts.ids import canonical_json
from contracts.joins import sorted_by
from contracts.languages import language_hint
from contracts.licences import licence_hint, wants_credit
from contracts.schemas import DROPS, UTTERANCES
from contracts.text_forms import compared
from corpora.corpus_state import state
from flows.recipe.sections import CorpusSection
from flows.run.books import Books, count
from flows.run.pipeline import Build, Stage


def reader_of(corpus: CorpusSection) -> Any:
    """Return the configured reader of a corpus."""
    return plugins.configure("corpus", corpus.reader, {"name": corpus.name, **corpus.options})


def read_corpora(build: Build) -> tuple[pa.Table, pa.Table]:
    """Read all corpora and return their usable and their unusable utterances, sorted by id.

    Raises:
        DataError: a corpus cannot be read, or none of its rows can be used.
    """
    tables = [table for corpus in build.recipe.corpora for table in _read(corpus)]
    found = pa.concat_tables(tables) if tables else UTTERANCES.empty_table()
    found = sorted_by(conform(found, "utterances"), "utterance_id")
    usable, broken = found.filter(pc.is_null(found["problem"])), found.filter(pc.is_valid(found["problem"]))
    for name in sorted(set(broken["corpus"].unique().to_pylist()) - set(usable["corpus"].unique().to_pylist())):
        raise DataError(_nothing_usable(name, broken.filter(pc.equal(broken["corpus"], name))))
    require_credits(build, usable)
    return usable, broken


def _read(corpus: CorpusSection) -> Iterator[pa.Table]:
    """Yield what a reader gives, if it is rows of ``UTTERANCES`` of this corpus."""
    who = f"corpora.{corpus.name}: reader {corpus.reader!r}: read() must yield record batches of UTTERANCES"
    found = reader_of(corpus).read(corpus.root)
    if not isinstance(found, Iterable):
        raise DataError(f"{who}, got {type(found).__name__}")
    for batch in found:
        if not isinstance(batch, pa.RecordBatch):
            raise DataError(f"{who}, got {type(batch).__name__}")
        try:
            table = conform(pa.Table.from_batches([batch]), "utterances")
        except SchemaError as error:
            raise DataError(f"{who}: {error}") from error
        if (others := pc.unique(table["corpus"]).to_pylist()) not in ([], [corpus.name]):
            raise DataError(f"{who}, all with its name as corpus, got {', '.join(map(repr, others[:3]))}")
        yield table


def _nothing_usable(corpus: str, broken: pa.Table) -> str:
    reasons = ", ".join(f"{reason} {rows}" for reason, rows in count(broken["problem"]).items())
    first = broken.sort_by("source_ref").slice(0, 1).to_pylist()[0]
    where = first["source_ref"] or first["source_id"]
    return f"corpus {corpus!r}: none of its {broken.num_rows} rows can be used ({reasons}); see {where}: {_why(first)}"


def _why(row: dict[str, Any]) -> str:
    if "advice" in (wrong := _wrong_tag(row)):
        return f"{row['problem']}: {wrong['advice']}"
    return str(row["problem_detail"] or f"{row['problem']}{': ' + row['audio_path'] if row['audio_path'] else ''}")


def _wrong_tag(row: Mapping[str, Any]) -> dict[str, str]:
    """Return what a row says of its language or licence that nobody knows, and what it may mean."""
    match row["problem"]:
        case "unknown_language":
            return {"language": row["language"], "advice": language_hint(row["language"])}
        case "unknown_license":
            return {"license": row["license"], "advice": licence_hint(row["license"])}
    return {}


def require_credits(build: Build, utterances: pa.Table) -> None:
    """Check that every corpus whose licence asks for it names who made it.

    Raises:
        RecipeError: one does not; the card of a release would break its licence.
    """
    pairs = utterances.select(["corpus", "license"]).group_by(["corpus", "license"]).aggregate([]).to_pylist()
    licences = {(row["corpus"], row["license"]) for row in pairs if wants_credit(row["license"])}
    for corpus in build.recipe.corpora:
        asking = sorted(licence for name, licence in licences if name == corpus.name)
        if asking and not compared(reader_of(corpus).attribution):
            raise RecipeError(
                f"corpora.{corpus.name}: {asking[0]} asks to name who made the recordings: set its option attribution, "
                "as the card of the release shall say it"
            )


def _utterances(build: Build) -> Books:
    usable, broken = read_corpora(build)
    drops = [
        {
            "stage": "utterances",
            "row_id": row["utterance_id"],
            "filter": "reader",
            "reason": row["problem"],
            "evidence": canonical_json(
                {name: row[name] for name in ("corpus", "source_id", "source_ref", "text")}
                | ({"detail": row["problem_detail"]} if row["problem_detail"] else {})
                | _wrong_tag(row)
            ),
        }
        for row in broken.to_pylist()
    ]
    build.tables.replace("drops@utterances", pa.Table.from_pylist(drops, schema=DROPS))
    build.tables.replace("utterances", usable)
    return Books(
        stage="utterances",
        unit="recordings",
        rows_in=usable.num_rows + broken.num_rows,
        rows_out=usable.num_rows,
        dropped=count(broken["problem"]),
    )


STAGE: Final[Stage] = Stage(
    name="utterances",
    reads=(),
    writes=("utterances", "drops@utterances"),
    settings=lambda build: [
        [
            corpus.model_dump(),
            state(corpus.root, build.workspace.url, reader_of(corpus).follow_links),
            *([] if (code := plugins.digest_of_own("corpus", corpus.reader)) is None else [code]),
        ]
        for corpus in build.recipe.corpora
    ],
    run=_utterances,
)
