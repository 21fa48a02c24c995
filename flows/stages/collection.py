"""The release of a collection: each part as configurations of its own, and the proof that splits are disjoint across parts."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, Final

import pyarrow as pa

from contracts.errors import RecipeError
from contracts.ids import digest
from flows.run.books import Books
from flows.run.damage import named_audio
from flows.run.kind import kind_of
from flows.run.marks import inputs_of
from flows.run.pipeline import Build, Stage
from flows.stages.release import Contents, ReleaseStage, contents, intact_release, layout_of, recipe_literals
from flows.stages.release_changes import changes_since_before
from flows.stages.released import publish
from flows.stages.splits import leakage_keys, splits_table, with_source_files
from splits.leakage import LeakageProof, prove
from storage import release_writer
from storage.card_facts import Disjoint, Facts


def release_stage_of(part: Build) -> ReleaseStage[Any]:
    """Return the stage that would release a part by itself.

    Raises:
        RecipeError: its kind releases in a way of its own.
    """
    stage = kind_of(part).stages[-1]
    if not isinstance(stage, ReleaseStage):
        raise RecipeError(f"kind {part.recipe.kind!r} has a release of its own: it cannot be a part of a collection")
    return stage


def proof_across(parts: Mapping[str, Build]) -> LeakageProof:
    """Prove that no two splits share anything, in one part or two. Messages name an item as ``<part>/<item>``.

    Raises:
        LeakageError: they do.
    """
    keys = [_of_part(name, with_source_files(part, leakage_keys(part))) for name, part in parts.items()]
    assigned = (_of_part(name, rows) for name, part in parts.items() for rows in part.tables.batches(splits_table(part)))
    return prove(assigned, pa.concat_tables(keys, promote_options="default"))


def _of_part(name: str, rows: pa.Table) -> pa.Table:
    """Return rows whose items and text groups are named after their part; leakage groups are compared as they are."""
    for column in {"item_id", "group_id"}.intersection(rows.column_names):
        named = pa.array([f"{name}/{value}" for value in rows[column].to_pylist()], pa.string())
        rows = rows.set_column(rows.column_names.index(column), rows.schema.field(column), named)
    return rows


def _release(build: Build) -> Books:
    parts = build.parts
    build.progress.start("release", 0)
    proven, found = proof_across(parts), dict[str, Contents]()
    with ExitStack() as stack:
        for name, part in parts.items():
            stage = release_stage_of(part)
            found[name] = stack.enter_context(contents(stage.before, stage.form, part))
        first = next(iter(parts.values()))
        folder = release_writer.write(
            build.workspace,
            build.recipe.release.version,
            splits=[split for name, one in found.items() for split in _splits(build, name, one)],
            audio=named_audio(first),
            facts=_facts(build, proven, {name: one.facts for name, one in found.items()}),
            layout=layout_of(first, build.recipe.release),
        )
    publish(build, folder)
    build.progress.end()
    counted = {_named(name, config, one): n for name, one in found.items() for config, n in one.counted.items()}
    rows = sum(n.total() for n in counted.values())
    notes = (*(_line(name, n) for name, n in counted.items()), *changes_since_before(build))
    return Books(stage=STAGE.name, unit="rows", rows_in=rows, rows_out=rows, notes=notes)


def _line(configuration: str, rows: Counter[str]) -> str:
    by_split = ", ".join(f"{n} {split}" for split, n in rows.items() if n)
    return f"configuration {configuration}: {by_split or 'no rows'}"


def _named(part: str, configuration: str, one: Contents) -> str:
    """Return the name of a part's configuration: that of the part, or of both where the part has several."""
    return part if len(one.counted) == 1 else f"{part}_{configuration}"


def _splits(build: Build, name: str, one: Contents) -> list[release_writer.ReleaseSplit]:
    part = build.parts[name]
    audio, layout = named_audio(part), layout_of(part, build.recipe.release)
    return [replace(split, config=_named(name, split.config, one), audio=audio, layout=layout) for split in one.splits]


def _facts(build: Build, proven: LeakageProof, of: Mapping[str, Facts]) -> Facts:
    release = build.recipe.release
    across = [
        Disjoint(key=f"{kind}, over all parts", left="any split", right="any other", shared=n)
        for kind, n in proven.shared.items()
    ]
    return Facts(
        pretty_name=release.pretty_name,
        version=release.version,
        funnel=[replace(page, stage=f"{name}: {page.stage}") for name, facts in of.items() for page in facts.funnel],
        leakage=across,
        overlaps=[replace(one, key=f"{name}: {one.key}") for name, facts in of.items() for one in facts.overlaps],
        annotations_creators=_each(facts.annotations_creators for facts in of.values()),
        judge_statement=" ".join(f"{name}: {facts.judge_statement}" for name, facts in of.items()),
        statistics=[replace(one, title=f"{name}: {one.title}") for name, facts in of.items() for one in facts.statistics],
        shortcuts=[replace(one, title=f"{name}: {one.title}") for name, facts in of.items() for one in facts.shortcuts],
        writers=_each(facts.writers for facts in of.values()),
        mixed=[replace(one, what=f"{name}: {one.what}") for name, facts in of.items() for one in facts.mixed],
        recipe_digest=digest(_literals(build)),
        attribution={corpus: names for facts in of.values() for corpus, names in facts.attribution.items()},
        seed=build.recipe.seed,
    )


def _each(found: Iterable[Sequence[Any]]) -> list[Any]:
    """Return what is in any of the sequences, once."""
    one_by_one = list[Any]()
    for some in found:
        one_by_one += [one for one in some if one not in one_by_one]
    return one_by_one


def _literals(build: Build) -> list[object]:
    parts = {name: recipe_literals(part) for name, part in build.parts.items()}
    return [build.recipe.model_dump(), parts]


STAGE: Final[Stage] = Stage(
    name="release",
    reads=(),
    writes=(),
    settings=lambda build: [
        _literals(build),
        {name: inputs_of(release_stage_of(part), part) for name, part in build.parts.items()},
    ],
    produced=intact_release,
    run=_release,
)
