"""Where engines and models run: what a recipe may say, and that it decides no row."""

import pytest

from contracts.errors import RecipeError
from contracts.plugin_environment import OWN, Environment
from flows.recipe.load import load
from flows.run.pipeline import open_build
from flows.stages import metrics
from scoring.hosted_model import HostedMetric, HostedTranscriber
from synth.engines.xtts import Xtts
from synth.hosted_engine import HostedEngine
from tests.flows.recipe.test_load import changed


def with_environment(tmp_path, environment, engine="flite"):
    system = {"name": "one", "engine": engine, "environment": environment}
    return changed(tmp_path, lambda r: r.update(systems=[system], release={"allow_non_commercial": True}))


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ("own", OWN),
        ({"requirements": ["numpy==1.26.4"]}, Environment(requirements=("numpy==1.26.4",))),
        (
            {"requirements": ["a @ https://example.org/a.whl"], "overrides": ["b<2"], "python": "3.10"},
            Environment(requirements=("a @ https://example.org/a.whl",), overrides=("b<2",), python="3.10"),
        ),
        ({"interpreter": "$PYTHONS/bin/python"}, Environment(interpreter="/pythons/bin/python")),
        ({"image": "speech:1", "mounts": ["/models"]}, Environment(image="speech:1", mounts=("/models",))),
    ],
)
def test_each_form_is_read(tmp_path, monkeypatch, environment, expected):
    monkeypatch.setenv("PYTHONS", "/pythons")
    recipe = load(with_environment(tmp_path, environment))
    assert recipe.systems[0].chosen_environment == expected
    assert isinstance(recipe.placed_engines["one"], HostedEngine) == (expected != OWN)


@pytest.mark.parametrize(
    ("environment", "problem"),
    [
        ("ours", "write own, or requirements, interpreter or image, not 'ours'"),
        ({}, "give one of requirements, interpreter and image"),
        ({"requirement": ["numpy"]}, r"systems\.0\.environment\.requirement: unknown key, did you mean 'requirements'"),
        ({"requirements": ["numpy=1"]}, "'numpy=1' is no requirement like numpy==1.26.4"),
        ({"requirements": ["numpy"], "python": 3.10}, "python: write it in quotes"),
        ({"requirements": ["numpy"], "image": "speech:1"}, "give one of requirements, interpreter and image, not"),
        ({"interpreter": "bin/python"}, "must be an absolute path"),
        ({"interpreter": "$NO_SUCH_PLACE/python"}, "NO_SUCH_PLACE is not set"),
        ({"interpreter": "/p", "python": "3.10"}, "python: is of an environment with requirements"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path, environment, problem):
    with pytest.raises(RecipeError, match=problem) as raised:
        load(with_environment(tmp_path, environment))
    assert str(raised.value).count("\n") == 0


def test_clips_of_a_corpus_have_none(tmp_path):
    system = {"name": "far", "clips": "sounds", "environment": "own"}
    with pytest.raises(RecipeError, match="environment: is an engine's"):
        load(changed(tmp_path, lambda r: r["systems"].append(system)))


def test_a_service_has_none(tmp_path):
    """It is called from the build's own process."""
    service = {"name": "bought", "engine": "openai_speech", "environment": "own"}
    with pytest.raises(RecipeError, match=r"systems\.bought\.environment: 'openai_speech' is a service"):
        load(changed(tmp_path, lambda r: r.update(systems=[*r["systems"], service], budget_usd=1)))


def test_the_rule_is_the_recipe_then_the_plugin_then_ours(tmp_path):
    """An engine's own environment is taken whether or not its packages are installed here, so that builds agree."""
    recipe = load(with_environment(tmp_path, None, "xtts"))
    assert recipe.placed_engines["one"].environment == Xtts.environment
    assert not isinstance(load(with_environment(tmp_path, "own", "xtts")).placed_engines["one"], HostedEngine)
    assert not isinstance(load(with_environment(tmp_path, None, "flite")).placed_engines["one"], HostedEngine)


def test_a_metrics_environment_is_its_models(tmp_path):
    """A metric runs there as a whole; of error rates the recogniser does. It is in no setting and no key."""
    there = {"requirements": ["numpy==1.26.4"]}
    (tmp_path / "plain").mkdir()
    plain = changed(tmp_path / "plain", lambda _: None)
    before = [metric.model_dump() for metric in load(plain).metrics]
    path = changed(tmp_path, lambda r: [metric.update(environment=there) for metric in r["metrics"]])
    build = open_build(path, str(tmp_path / "ws"))
    assert [metric.model_dump() for metric in build.recipe.metrics] == before
    needs = metrics.STAGE.needs(build)
    assert isinstance(needs["metric distillmos"], HostedMetric)
    assert not isinstance(needs["metric wer"], HostedMetric)
    assert isinstance(needs["metric wer"].transcriber(), HostedTranscriber)
    here = open_build(plain, str(tmp_path / "ws"))
    for one, other in zip(build.recipe.metrics, here.recipe.metrics, strict=True):
        assert metrics.metric_keys(build, one, ["sample"]) == metrics.metric_keys(here, other, ["sample"])
