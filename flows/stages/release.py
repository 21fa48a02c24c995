"""The last stage: the release."""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from contracts.free_memory import give_back
from contracts.ids import digest
from contracts.joins import among
from flows.listening.evidence import people_statement
from flows.listening.store import VOTED
from flows.recipe.listening_section import VERIFIER, literals
from flows.recipe.sections import Release
from flows.run.books import Books
from flows.run.damage import named_audio
from flows.run.kind import item_of
from flows.run.marks import mark_of
from flows.run.pipeline import Build, R_contra, Stage
from flows.run.plugin_versions import released_mixed
from flows.stages.audit_tables import shortcut_tables
from flows.stages.pool_leakage import shared_by_sources
from flows.stages.release_changes import changes_since_before
from flows.stages.release_form import Configuration, Form
from flows.stages.release_pieces import pieces
from flows.stages.released import publish, release_faults, release_of
from flows.stages.split_facts import short_splits
from flows.stages.utterances import reader_of, require_credits
from flows.stages.verification import confirmed_splits
from storage import release_writer
from storage.card_facts import Disjoint, Facts, Funnel
from storage.rows import Rows
from storage.shards import ShardLayout

_BATCH_ROWS: Final = 1000


def intact_release(build: Build) -> str | None:
    """Return the folder or URL of the build's release; None if there is none, or a file of it must be written anew."""
    needs_mending = any(fault.kind != "unlisted" or fault.is_shard for fault in release_faults(build))
    return None if needs_mending else release_of(build)


def with_verifier(build: Build, split: str, rows: pa.Table) -> pa.Table:
    """Say of the rows of a split, if it is a verified one, that they passed that filter, too."""
    listening = build.recipe.listening
    if listening is None or listening.of != "splits" or split not in listening.splits:
        return rows
    if "filters_passed" not in rows.column_names:
        return rows
    passed = [[*names, VERIFIER] for names in rows["filters_passed"].to_pylist()]
    place = rows.column_names.index("filters_passed")
    return rows.set_column(place, "filters_passed", pa.array(passed, rows["filters_passed"].type))


def pairs_were_voted_on(build: Build) -> bool:
    """Return whether people voted on pairs, and not on critiques of them."""
    listening = build.recipe.listening
    return listening is not None and listening.subjects == "pairs"


@dataclass(frozen=True, kw_only=True)
class ReleaseStage(Stage[R_contra]):
    """The stage that writes the release of a kind of data set.

    Attributes:
        before: the stages before it, whose books are a part of the card.
        form: what it releases.
    """

    before: Sequence[Stage[Any]]
    form: Form[Any]


def _release(before: Sequence[Stage[Any]], form: Form[Any], build: Build) -> Books:
    build.progress.start("release", 0)
    with contents(before, form, build) as found:
        folder = release_writer.write(
            build.workspace,
            build.recipe.release.version,
            splits=found.splits,
            audio=named_audio(build),
            facts=found.facts,
            layout=layout_of(build, build.recipe.release),
        )
    publish(build, folder)
    build.progress.end()
    items, *_ = found.counted.values()
    whole, assigned = build.recipe.splits.released(), Counter[str]()
    for split, rows in items.items():
        assigned[whole[split]] += rows
    notes = (*short_splits(build.recipe, assigned), *found.beside, *changes_since_before(build))
    return Books(stage="release", unit=item_of(build).plural, rows_in=items.total(), rows_out=items.total(), notes=notes)


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What a build releases.

    Attributes:
        splits: its configurations' splits, whose rows are joined as they are read.
        facts: content of the card beside the rows.
        counted: configuration -> split -> rows, counted as they are read.
    """

    splits: Sequence[release_writer.ReleaseSplit]
    facts: Facts
    counted: Mapping[str, Counter[str]]

    @property
    def beside(self) -> list[str]:
        """A line for each configuration beside the first one."""
        return [f"configuration {name}: {rows.total()} rows" for name, rows in list(self.counted.items())[1:]]


@contextlib.contextmanager
def contents(before: Sequence[Stage[Any]], form: Form[Any], build: Build) -> Iterator[Contents]:
    """Yield what a build releases; its rows can be read inside the block.

    Raises:
        RecipeError: a corpus whose licence asks for it does not name who made it.
        LeakageError: the splits share something.
    """
    require_credits(build, build.tables.read("utterances", ["corpus", "license"]))
    wanted = form.wanted(build)
    counted = {name: Counter[str]() for name in wanted}
    with pieces(build, form.reads) as found:
        yield Contents(
            splits=[split for name, one in wanted.items() for split in _splits(name, one, build, found, counted[name])],
            facts=_facts(before, form, build, found),
            counted=counted,
        )


def layout_of(build: Build, release: Release) -> ShardLayout:
    """Return how the rows of a build are divided into shards, in the release of a recipe."""
    rate = build.recipe.clip_format.sample_rate_hz
    return ShardLayout(sample_rate_hz=rate, shard_bytes=release.shard_size_mb * 1_000_000)


def _splits(
    name: str, one: Configuration[Any], build: Build, found: Mapping[str, Sequence[Build]], counted: Counter[str]
) -> list[release_writer.ReleaseSplit]:
    """Return the splits of a configuration, whose rows are joined as they are read."""
    whole = cache(lambda: one.rows(build))
    compartments = one.splits(build)
    is_parted = any(compartment != split for split, compartment in compartments.items())

    all_members = cache(lambda: one.members(build))

    def joined(piece: Build) -> Rows:
        return whole() if piece is build else one.rows(piece)

    def members(piece: Build) -> pa.Table:
        return all_members() if piece is build else one.members(piece)

    return [
        release_writer.ReleaseSplit(
            config=name,
            split=split,
            rows=_batches(split, found[compartment] if one.in_pieces else [build], members, joined, counted),
            schema=one.schema(build),
            compartment=compartment if is_parted else None,
        )
        for split, compartment in compartments.items()
    ]


def _batches(
    split: str,
    found: Sequence[Build],
    members: Callable[[Build], pa.Table],
    joined: Callable[[Build], Rows],
    counted: Counter[str],
) -> Iterator[pa.Table]:
    """Yield the rows of a split, piece after piece, some at a time, and count them."""
    for piece in found:
        rows = joined(piece)
        assigned = members(piece)
        assigned = rows.ordered(assigned.filter(pc.equal(assigned["split"], split)))
        for start in range(0, assigned.num_rows, _BATCH_ROWS):
            yield with_verifier(piece, split, rows.batch(assigned.slice(start, _BATCH_ROWS)))
        counted[split] += assigned.num_rows
        del rows, assigned
        give_back()


def _facts(before: Sequence[Stage[Any]], form: Form[Any], build: Build, found: Mapping[str, Sequence[Build]]) -> Facts:
    recipe = build.recipe
    proven = form.proof(build)
    give_back()
    annotators: list[str | None] = [
        form.annotated(build),
        *(one.annotated for one in form.wanted(build).values()),
    ]
    annotators += ["crowdsourced"] if pairs_were_voted_on(build) else []
    marks = [mark for stage in before if stage.active(build) and (mark := mark_of(stage, build)) is not None]
    return Facts(
        pretty_name=recipe.release.pretty_name,
        version=recipe.release.version,
        funnel=[_funnel(mark.books) for mark in marks],
        leakage=[Disjoint(key=key, left="any split", right="any other", shared=n) for key, n in proven.shared.items()],
        overlaps=shared_by_sources(build) if recipe.draws_pairs else (),
        annotations_creators=tuple(dict.fromkeys(word for word in annotators if word is not None)),
        judge_statement=form.statement(build) + people_statement(build),
        statistics=form.statistics(build),
        shortcuts=shortcut_tables(build, in_full=False) if _is_audited(before) else [],
        writers=form.writers(build),
        mixed=released_mixed(
            ((piece, _released_items(piece, split)) for split, some in found.items() for piece in some),
            item_of(build).samples,
            form.versioned,
        ),
        recipe_digest=digest(recipe_literals(build)),
        attribution={corpus.name: reader_of(corpus).attribution for corpus in recipe.corpora},
        seed=recipe.seed,
    )


def _funnel(books: Books) -> Funnel:
    literals_of_books = books.as_dict()
    del literals_of_books["notes"]
    return Funnel(**literals_of_books)


def _released_items(build: Build, split: str) -> pa.Table:
    """Return the released items of an assigned split. No sample is in items of two splits, so each counts once."""
    assigned = confirmed_splits(build)
    return among(item_of(build).rows(build), "item_id", assigned.filter(pc.equal(assigned["split"], split))["item_id"])


def recipe_literals(build: Build) -> dict[str, Any]:
    """Return the recipe without what differs from machine to machine: where it works and where its corpora lie."""
    literals_of_recipe = build.recipe.model_dump(exclude={"workspace", "listening", "plugins"})
    for corpus in literals_of_recipe["corpora"]:
        del corpus["root"]
    if build.recipe.listening is not None:
        literals_of_recipe["listening"] = literals(build.recipe.listening)
    return literals_of_recipe


def _is_audited(before: Sequence[Stage[Any]]) -> bool:
    return any("audit" in stage.writes for stage in before)


def release_stage(before: Sequence[Stage[Any]], form: Form[Any]) -> ReleaseStage[Any]:
    """Return the stage that writes the release; what happened in the stages before it is a part of the card."""
    accounts = (name for stage in before for name in stage.writes if name.startswith(("drops@", "failures@")))
    return ReleaseStage(
        name="release",
        reads=(
            *form.reads,
            "labels",
            "splits@*",
            "votes",
            VOTED,
            *(["audit"] if _is_audited(before) else []),
            *dict.fromkeys(accounts),
        ),
        writes=(),
        settings=lambda build: [recipe_literals(build), form.identity(build)],
        produced=intact_release,
        run=partial(_release, before, form),
        before=before,
        form=form,
    )
