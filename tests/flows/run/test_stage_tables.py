"""A stage sees the tables that it declares, and what it is to make is written down once."""

import pyarrow as pa
import pytest

from contracts.errors import RecipeError, UndeclaredSection, UndeclaredTable
from contracts.schemas import DROPS, FAILURES, SCHEMAS
from flows.kinds.preference import STAGES
from flows.recipe.preference_recipe import PreferenceRecipe
from flows.run.books import Books
from flows.run.kind import stages_of
from flows.run.marks import execute
from flows.run.pipeline import Stage, open_build
from flows.run.wanted import want, wanted_keys, wanted_rows
from flows.views.graph import mermaid
from tests.flows.small import corpus, recipe

BY_PEOPLE = {"votes"}
"""Tables that no stage writes: votes come in by ``annotate import``."""


@pytest.fixture
def build(tmp_path):
    corpus(tmp_path / "corpus", [])
    return open_build(recipe(tmp_path), str(tmp_path / "ws"))


def stage(run, **declared):
    declared = {"reads": ("pairs", "splits@*"), "writes": ("labels", "drops@odd")} | declared
    return Stage(name="odd", settings=lambda _build: None, run=run, **declared)


def books(_=None):
    return Books(stage="odd", unit="rows", rows_in=0, rows_out=0)


@pytest.mark.parametrize(
    "touch",
    [
        lambda tables: tables.read("samples"),
        lambda tables: tables.read("failures@samples", ["row_id"]),
        lambda tables: tables.num_rows("samples"),
        lambda tables: tables.version("samples"),
        lambda tables: tables.missing("samples", pa.array(["a"])),
        lambda tables: tables.partitions("samples"),
        lambda tables: tables.append("samples", SCHEMAS["samples"].empty_table()) or tables.compact("samples"),
    ],
)
def test_a_table_that_is_not_declared_is_refused(build, touch):
    """Whatever the stage wants of it; the error names stage and table."""
    with build.workspace.lock(), pytest.raises(UndeclaredTable, match=r"stage 'odd' reads the table '[a-z@]*samples[@*]*'"):
        execute(stage(lambda one: books(touch(one.tables))), build)


def test_a_stage_that_returns_something_else_is_one_line(build):
    with (
        build.workspace.lock(),
        pytest.raises(RecipeError, match=r"'preference': stage odd: run\(\) must return Books, got int"),
    ):
        execute(stage(lambda _build: 5), build)


def test_what_is_read_only_is_not_written(build):
    with build.workspace.lock(), pytest.raises(UndeclaredTable, match="stage 'odd' writes the table 'pairs'"):
        execute(stage(lambda one: books(one.tables.replace("pairs", SCHEMAS["pairs"].empty_table()))), build)


def test_declared_tables_are_there(build):
    """Also partitions by pattern, the stage's own accounts, what it fills, and what it reads under this recipe."""

    def run(one):
        assert one.tables.partitions("splits") == []
        for name in ("pairs", "splits@abc", "metrics", "failures@odd"):
            assert one.tables.num_rows(name) == 0
        one.tables.replace("drops@odd", DROPS.empty_table())
        one.tables.replace("failures@other", FAILURES.empty_table())
        return books()

    odd = stage(run, reads_if=lambda one: ("metrics",) if one.recipe.metrics else (), fills=("failures@other",))
    with build.workspace.lock():
        assert execute(odd, build) == books()


def test_every_table_that_a_stage_reads_was_written_before():
    """So the stages have no circle, and no stage waits for a table of a later one."""
    written = set(BY_PEOPLE)
    for one in STAGES:
        assert {name.partition("@*")[0] for name in one.reads} <= {name.partition("@*")[0] for name in written}, one.name
        written |= set(one.writes)


def test_tables_of_some_recipes_count_for_those_alone(build):
    with_votes, without = stage(books, reads_if=lambda _build: ("votes",)), stage(books)
    assert with_votes.all_reads(build) == (*without.reads, "votes")


def test_the_graph_names_stages_and_tables(build):
    lines = mermaid(build, stages_of(build)).splitlines()
    assert lines[0] == "flowchart LR"
    assert "  samples([samples])" in lines
    assert "  pairs[pairs]" in lines
    assert "  samples -->|samples| pairs" in lines
    assert "  filters -->|labels| splits" in lines
    assert not any("wanted" in line or "failures" in line for line in lines)


def test_what_is_wanted_is_known_by_part(build):
    """A stage that is to make nothing says so, too; only where nothing was ever written down is every row wanted."""
    rows = pa.table({"pair_id": ["p1"], "group_id": ["g"], "prompt_id": ["q"], "kind": ["inter"], "sample_a": ["a"]})
    for name in ("sample_b", "system_a", "system_b"):
        rows = rows.append_column(name, pa.array([name]))
    build.tables.append("pairs", rows)
    assert wanted_keys(build, "pairs").to_pylist() == ["p1"]
    want(build, "reviews", [(pa.array(["w1"]), pa.array(["s1"])), (pa.array(["w2", "w3"]), pa.array(["s1", "s2"]))])
    assert wanted_keys(build, "reviews").to_pylist() == ["w1", "w2", "w3"]
    assert wanted_keys(build, "reviews", 1).to_pylist() == ["w2", "w3"]
    assert wanted_rows(build, "reviews", 0).num_rows == 0
    before = build.tables.version("wanted@reviews")
    want(build, "reviews", [(pa.array(["w1"]), pa.array(["s1"])), (pa.array(["w2", "w3"]), pa.array(["s1", "s2"]))])
    assert build.tables.version("wanted@reviews") == before
    want(build, "reviews", [])
    assert wanted_keys(build, "reviews").to_pylist() == []
    assert build.tables.parts("wanted@reviews")


@pytest.mark.parametrize(
    ("read", "section"),
    [
        (lambda recipe: recipe.systems, "systems"),
        (lambda recipe: recipe.engines, "systems"),
        (lambda recipe: recipe.judges_of_pairs, "judge"),
        (lambda recipe: recipe.clip_format, "audio"),
        (lambda recipe: recipe.model_dump(), "plugins"),
    ],
)
def test_a_section_that_the_settings_do_not_hold_is_refused(build, read, section):
    """Also behind what is derived from it: such a stage would not notice its change."""
    with build.workspace.lock(), pytest.raises(UndeclaredSection, match=f"stage 'odd' reads the section '({section})'"):
        execute(stage(lambda one: books(read(one.recipe))), build)


def test_what_settings_are_made_of_is_there(build):
    """Names, seed and budget always; sections that are only checked by name."""
    seen = []

    def run(one):
        recipe = one.recipe
        seen.extend(
            [recipe.name, recipe.seed, recipe.budget_usd, recipe.kind, recipe.human, len(recipe.engines), recipe.pair_kinds]
        )
        assert isinstance(recipe, PreferenceRecipe)
        return books()

    settings = {"settings": lambda one: [one.recipe.human, list(one.recipe.engines)], "checks": ("pair_kinds",)}
    with build.workspace.lock():
        execute(Stage(name="odd", reads=(), writes=(), run=run, **settings), build)
    assert seen == ["small", 3, 1.0, "preference", True, 2, ("human", "inter")]
