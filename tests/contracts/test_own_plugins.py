"""Plug-ins from outside: a folder that a recipe names, or an installed package; nobody forks to add one."""

import sys
from importlib import metadata

import pyarrow as pa
import pytest
import yaml

from contracts import plugins
from contracts.errors import RecipeError
from flows.recipe.load import load
from tests.flows.recipe.test_load import changed

FILTER = """
from dataclasses import dataclass
from typing import ClassVar
import pyarrow as pa
import pyarrow.compute as pc

@dataclass(frozen=True, kw_only=True)
class Short:
    columns: ClassVar[tuple[str, ...]] = ("duration_a",)
    makes_labels: ClassVar[bool] = False
    needed_by: ClassVar[tuple[str, ...]] = ()
    least_s: float = 1.0

    def reasons(self, table):
        return pc.if_else(pc.less(table["duration_a"], self.least_s), "short", pa.scalar(None, pa.string()))

    def evidence(self, table, reasons):
        return reasons

PLUGIN = Short
"""
VALUE = "from {module} import PLUGIN as PLUGIN\n"
KINDS = {
    "corpus": "corpora.manifest",
    "engine": "synth.engines.espeak",
    "metric": "scoring.metrics.prosody",
    "judge": "annotate.models.providers.objective",
    "task": "annotate.models.tasks.task1",
    "asr": "scoring.asr.whisper_tiny",
    "protocol": "annotate.people.protocols.unisrm",
    "listener_rule": "annotate.people.rules.too_fast",
    "kind": "flows.kinds.rated_pairs",
}
"""Each kind of plug-in and one whose code a dummy of another name borrows."""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return an empty folder for plug-ins; afterwards none is known."""
    monkeypatch.setenv(plugins.FOLDERS, "")
    yield tmp_path / "mine"
    for name in [name for name in sys.modules if name.startswith("unisrm_plugins.")]:
        del sys.modules[name]


def put(folder, kind, name, source):
    (folder / kind).mkdir(parents=True, exist_ok=True)
    (folder / kind / f"{name}.py").write_text(source)


def test_a_recipe_brings_its_own_filter(folder, tmp_path):
    put(folder, "filter", "short_clips", FILTER)
    put(folder, "filter", "support", "X = 1")
    change = {"plugins": "mine", "filters": [{"name": "short_clips", "options": {"least_s": 2.0}}]}
    recipe = load(changed(tmp_path, lambda literals: literals.update(change)))
    rule = plugins.configure("filter", recipe.filters[0].name, recipe.filters[0].options)
    assert rule.reasons(pa.table({"duration_a": [1.5, 3.0]})).to_pylist() == ["short", None]
    assert "support" not in plugins.names("filter")
    with pytest.raises(RecipeError, match=r"no option .least.\. Did you mean .least_s."):
        plugins.configure("filter", "short_clips", {"least": 1})


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_takes_one_from_a_folder(folder, kind):
    put(folder, kind, "dummy", VALUE.format(module=KINDS[kind]))
    assert "dummy" not in plugins.names(kind)
    plugins.add_folder(folder)
    assert plugins.load(kind, "dummy") is not None
    assert "dummy" in plugins.names(kind)


def test_an_installed_package_brings_one(monkeypatch):
    point = metadata.EntryPoint(name="from_afar", value="filters.wer_gap", group="unisrm_data.filter")
    monkeypatch.setattr(plugins.metadata, "entry_points", lambda group: [point] if group == point.group else [])
    plugins._installed.cache_clear()
    assert plugins.load("filter", "from_afar") is plugins.load("filter", "wer_gap")
    monkeypatch.undo()
    plugins._installed.cache_clear()


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("filter", "cycles", "filter 'cycles' is there twice: filters.cycles and "),
        ("filters", "x", "no kind of plug-in. Did you mean 'filter'?"),
    ],
)
def test_what_is_wrong_with_a_folder_is_named(folder, tmp_path, kind, name, message):
    put(folder, kind, name, FILTER)
    with pytest.raises(RecipeError) as caught:
        load(changed(tmp_path, lambda literals: literals.update(plugins="mine")))
    assert message in str(caught.value)


def test_a_folder_that_is_not_there_is_named(folder, tmp_path):
    path = changed(tmp_path, lambda literals: literals.update(plugins="mine"))
    with pytest.raises(RecipeError, match=r"plugins: .*mine is no folder"):
        load(path)
    assert "plugins" in yaml.safe_load(path.read_text())


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("PLUGIN = 1 / 0", "ZeroDivisionError: division by zero"),
        ("def PLUGIN(:", "defines no PLUGIN|SyntaxError"),
        ("import sys\nPLUGIN = sys.exit(0)", "SystemExit: 0"),
        ("PLUGIN = 1\ndel PLUGIN", "defines no PLUGIN"),
        ("class One: ...\nPLUGIN = One", "is a class, but no dataclass"),
    ],
)
def test_a_plugin_that_is_none_is_one_line(folder, monkeypatch, source, told):
    """With its name and file; one that ends the program would else end a build as if all were well."""
    put(folder, "filter", "mine", source.replace("def PLUGIN(:", "PLUGIN = (\n") if "(:" in source else source)
    monkeypatch.setenv(plugins.FOLDERS, str(folder))
    with pytest.raises(RecipeError, match=rf"filter 'mine'.*({told})"):
        plugins.configure("filter", "mine")


def test_a_folder_of_the_environment_that_is_none_is_an_error(folder, monkeypatch):
    monkeypatch.setenv(plugins.FOLDERS, "/no/such/folder")
    with pytest.raises(RecipeError, match="UNISRM_PLUGINS: /no/such/folder is no folder"):
        plugins.names("filter")


def test_an_entry_point_may_name_the_attribute_as_is_usual(folder, monkeypatch):
    point = metadata.EntryPoint("cyc", "filters.cycles:PLUGIN", "unisrm_data.filter")
    monkeypatch.setattr(metadata, "entry_points", lambda group: [point] if group == point.group else [])
    plugins._installed.cache_clear()
    try:
        assert plugins.load("filter", "cyc") is plugins.load("filter", "cycles")
    finally:
        plugins._installed.cache_clear()


def test_an_edited_plugin_decides_anew(folder, monkeypatch):
    """The hash of its file is a part of the settings of the stages that it decides; plug-ins of packages have versions."""
    put(folder, "filter", "short_clips", FILTER)
    monkeypatch.setenv(plugins.FOLDERS, str(folder))
    before = plugins.digest_of_own("filter", "short_clips")
    put(folder, "filter", "short_clips", FILTER.replace("pc.less", "pc.greater"))
    assert before != plugins.digest_of_own("filter", "short_clips") is not None
    assert plugins.digest_of_own("filter", "cycles") is None
