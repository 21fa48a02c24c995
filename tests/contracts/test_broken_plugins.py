"""Plug-ins of others that are not what they must be: one line with file and member, and only where they are used."""

import sys

import numpy as np
import pyarrow as pa
import pytest

from contracts import plugins
from contracts.errors import DataError, RecipeError
from contracts.plugin_shapes import SHAPES, class_faults, value_faults
from filters import chain
from flows.entry.doctor import examine
from flows.recipe.load import load
from flows.run.pipeline import open_build
from flows.stages.filters import filters_of
from flows.stages.utterances import read_corpora
from scoring.measure import MeasureJob
from storage.blobs import BlobStore
from storage.workspace import Workspace
from tests.contracts.test_own_plugins import FILTER, folder, put  # noqa: F401 - a fixture
from tests.flows.recipe.test_load import changed
from tests.flows.small import corpus, recipe
from tests.synth.test_render import batch as speak_requests
from tests.synth.test_render import job as render_job

CORPUS = """
from dataclasses import dataclass
@dataclass(frozen=True, kw_only=True)
class Mine:
    name: str = "mine"
    attribution: str = ""
    follow_links: str = "inside"

    def read(self, root):
        {read}

PLUGIN = Mine
"""

OTHERS = """import corpora.reader as r
        yield from r.batches("other", [r.Utterance(source_id="a", language="en", license="CC0-1.0")])"""
ENGINE = """
from dataclasses import dataclass
from synth.engines import espeak

@dataclass(frozen=True, kw_only=True)
class Mine(espeak.PLUGIN):
    def voices(self):
        return ["en"]

PLUGIN = Mine
"""
METRIC = """
from dataclasses import dataclass

@dataclass(frozen=True)
class Mine:
    value_names = None

PLUGIN = Mine
"""


@pytest.mark.parametrize("kind", sorted(plugins.PACKAGES))
def test_every_plugin_of_this_project_is_what_its_kind_must_be(kind):
    """So what is asked of others is no more than is kept here, where mypy checks it."""
    assert kind in SHAPES or not plugins.names(kind), "a kind with plug-ins has a protocol"
    for name in plugins.names(kind):
        plugin = plugins.load(kind, name)
        assert not isinstance(plugin, type) or class_faults(kind, plugin) == [], name
        assert value_faults(kind, plugins.configure(kind, name)) == [], name


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("columns: ClassVar[tuple[str, ...]] = (", "rows = (", "the attribute columns (tuple[str, ...]) is missing"),
        ('("duration_a",)', '"duration_a"', "the attribute columns must be tuple[str, ...], not str 'duration_a'"),
        ('("duration_a",)', '["duration_a"]', "the attribute columns must be tuple[str, ...], not list ['duration_a']"),
        ('("duration_a",)', "(1, 2)", "the attribute columns must be tuple[str, ...], not tuple (1, 2)"),
        (
            "makes_labels: ClassVar[bool] = False",
            'makes_labels: ClassVar[bool] = "no"',
            "the attribute makes_labels must be bool",
        ),
        ("def reasons(", "def reason(", "the method reasons(table) is missing"),
        ("def reasons(self, table)", "def reasons(self, rows, more)", "the method reasons(table) takes other arguments"),
        (
            "def evidence(self, table, reasons)",
            "def evidence(self)",
            "the method evidence(table, reasons) takes other arguments",
        ),
        ("PLUGIN = Short", "PLUGIN = 5", "the attribute columns (tuple[str, ...]) is missing; "),
        ("PLUGIN = Short", "Short.reasons = 5\nPLUGIN = Short", "reasons must be the method reasons(table)"),
        ("least_s: float = 1.0", "least_s: 'Nobody' = 1.0", "NameError: name 'Nobody' is not defined"),
        (
            "    def reasons",
            "    def __post_init__(self):\n        1 / 0\n\n    def reasons",
            "cannot be configured: ZeroDivisionError",
        ),
    ],
)
def test_a_filter_that_is_none_is_one_line(folder, tmp_path, old, new, told):  # noqa: F811
    assert old in FILTER
    put(folder, "filter", "mine", FILTER.replace(old, new))
    change = {"plugins": "mine", "filters": [{"name": "mine"}]}
    with pytest.raises(RecipeError) as caught:
        load(changed(tmp_path, lambda literals: literals.update(change)))
    assert f"filter 'mine' ({folder / 'filter' / 'mine.py'})" in str(caught.value)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "source", "told"),
    [
        ("task", "PLUGIN = {'name': 'x'}", "PLUGIN must be a annotate.models.task.TaskSpec"),
        ("kind", "PLUGIN = type(5)", "PLUGIN must be a flows.run.kind.Kind"),
        ("corpus", CORPUS.format(read="...").replace("def read", "def rows"), "the method read(root) is missing"),
        ("corpus", CORPUS.format(read="...").replace('"inside"', '"never"'), "the attribute follow_links must be"),
        ("engine", ENGINE, "the method voices() must return tuple[synth.engine.Voice, ...], not list ['en']"),
        ("metric", METRIC, "the attribute value_names must be tuple[str, ...], not NoneType"),
    ],
)
def test_every_kind_is_held_to_its_protocol(folder, monkeypatch, kind, source, told):  # noqa: F811
    put(folder, kind, "mine", source)
    monkeypatch.setenv(plugins.FOLDERS, str(folder))
    with pytest.raises(RecipeError) as caught:
        plugins.configure(kind, "mine")
    assert str(caught.value).startswith(f"{kind} 'mine' ({folder / kind / 'mine.py'}): ")
    assert told in str(caught.value)


def test_what_has_a_default_may_be_left_out(folder, monkeypatch):  # noqa: F811
    lines = [line for line in FILTER.splitlines() if "makes_labels" not in line and "needed_by" not in line]
    put(folder, "filter", "mine", "\n".join(lines))
    monkeypatch.setenv(plugins.FOLDERS, str(folder))
    rule = plugins.configure("filter", "mine", {"least_s": 2})
    assert (rule.makes_labels, rule.needed_by) == (False, ())
    put(folder, "filter", "value", "\n".join(lines).replace("PLUGIN = Short", "PLUGIN = Short()"))
    assert plugins.configure("filter", "value").makes_labels is False


@pytest.mark.parametrize("source", ["PLUGIN = 1 / 0\n", "import no_such_package\nPLUGIN = 1\n", "PLUGIN = (\n", "PLUGIN = 5\n"])
def test_a_broken_plugin_breaks_no_recipe_that_does_not_use_it(folder, tmp_path, source):  # noqa: F811
    """Of any kind; ``doctor`` lists it with its problem."""
    for kind in sorted(plugins.PACKAGES):
        put(folder, kind, "broken", source)
    (folder / "filter" / "latin.py").write_bytes(b"# caf\xe9\nPLUGIN = 5\n")
    (folder / "filter" / "folder.py").mkdir()
    corpus(tmp_path / "corpus", [])
    opened = open_build(recipe(tmp_path, plugins=str(folder), judge={"name": "objective", "task": "task1", "options": {}},
                               metrics=[{"name": "prosody"}, {"name": "wer"}, {"name": "sim"}, {"name": "distillmos"}],
                               prompts={"reference": "same_speaker"}), str(tmp_path / "ws"))  # fmt: skip
    assert [rule.name for rule in filters_of(opened)] == ["tied_totals", "audio_sanity", "cycles"]
    listed = {(row["kind"], row["name"]): row for row in examine()}
    for kind in SHAPES:
        row = listed[kind, "broken"]
        assert row["ready"] is False
        assert "broken" in row["what to do"]
    with pytest.raises(RecipeError, match=r"labels\.from is votes: add a filter that makes labels of them: cmos_to_preference"):
        load(changed(tmp_path, lambda literals: literals.update(plugins=str(folder), labels={"from": "votes"})))


@pytest.mark.parametrize(
    ("read", "told"),
    [
        ("return None", "got NoneType"),
        ("return 5", "got int"),
        ("yield [1, 2]", "got list"),
        ("import pyarrow as pa; yield pa.record_batch({'x': [1]})", "table utterances: missing columns"),
        (OTHERS, "all with its name as corpus, got 'other'"),
    ],
)
def test_a_reader_that_gives_something_else_is_one_line(folder, tmp_path, read, told):  # noqa: F811
    put(folder, "corpus", "mine", CORPUS.format(read=read))
    (tmp_path / "corpus").mkdir()
    corpora = [{"name": "my_corpus", "reader": "mine", "root": str(tmp_path / "corpus")}]
    build = open_build(recipe(tmp_path, plugins=str(folder), corpora=corpora), str(tmp_path / "ws"))
    with pytest.raises(DataError, match=rf"corpora\.my_corpus: reader 'mine': read\(\) must yield record batches.*{told}"):
        read_corpora(build)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (lambda _: None, "got NoneType"),
        (lambda rows: pa.array([True] * rows), "got 2 of bool"),
        (lambda _: pa.array(["{}"]), "got 1 of string"),
        (lambda rows: pa.nulls(rows, pa.string()), "got null for one"),
    ],
)
def test_evidence_that_is_none_is_one_line(given, told):
    class Odd:
        columns = ("wer_a",)

        def reasons(self, table):
            return pa.array(["bad"] * table.num_rows)

        def evidence(self, table, reasons):
            return given(table.num_rows)

    table = pa.table({"item_id": ["a", "b"], "wer_a": [0.0, 1.0]})
    with pytest.raises(DataError, match=rf"filter 'odd': evidence\(\) must return .*{told}"):
        chain.apply(table, [("odd", Odd())])


def test_an_error_in_a_plugins_own_code_names_its_file_and_line(folder, monkeypatch):  # noqa: F811
    """What the program ends with; an error of this project keeps its traceback."""
    put(folder, "filter", "mine", FILTER.replace("return reasons", "return reasons['x']"))
    monkeypatch.setenv(plugins.FOLDERS, str(folder))
    rule = plugins.configure("filter", "mine")
    file = folder / "filter" / "mine.py"
    number = next(number for number, line in enumerate(file.read_text().splitlines(), start=1) if "reasons['x']" in line)
    with pytest.raises(TypeError) as caught:
        rule.evidence(None, 5)
    assert plugins.where_raised(caught.value) == f"filter 'mine' ({file}, line {number})"
    with pytest.raises(ZeroDivisionError) as caught:
        1 / 0  # noqa: B018
    assert plugins.where_raised(caught.value) is None
    del sys.modules["unisrm_plugins.filter.mine"]


RUBBISH = """
from dataclasses import dataclass
from {module} import PLUGIN as Other

class Session:
    version = model = model_version = "1"

    def {method}(self, requests):
        return iter([None] * len(requests))

@dataclass(frozen=True, kw_only=True)
class Mine(Other):
    def open(self):
        return Session()

PLUGIN = Mine
"""


@pytest.mark.parametrize(
    ("kind", "module", "method", "told"),
    [
        ("engine", "synth.engines.espeak", "render", r"engine mine: render\(\) must yield a Waveform or Failure, got None"),
        (
            "metric",
            "scoring.metrics.prosody",
            "measure",
            r"metric mine: measure\(\) must yield a Measurement or Failure, got None",
        ),
    ],
)
def test_an_engine_or_metric_that_gives_something_else_says_so(folder, tmp_path, *, kind, module, method, told):  # noqa: F811
    """A fan-out makes a failure of it, with that message."""
    put(folder, kind, "mine", RUBBISH.format(module=module, method=method))
    plugins.add_folder(folder)
    if kind == "engine":
        requests = speak_requests("Hello there.")
        job = render_job(tmp_path, engine="mine", options="{}")
    else:
        clip = BlobStore(Workspace(str(tmp_path))).put(np.full(16000, 900, np.int16), 16000)
        row = {"row_id": "m", "subject_id": "s", "audio_id": clip, "text": "x", "language": "en", "spoken_text": None}
        requests = pa.Table.from_pylist([row | {"reference_audio_id": None}])
        job = MeasureJob(metric="mine", options="{}", workspace_url=str(tmp_path), version=None)
    with pytest.raises(TypeError, match=told):
        job.open().run(requests)
