"""What every metric and every recogniser must keep, by existing."""

import dataclasses
import math
import subprocess
import sys

import pytest

from contracts import plugins
from contracts.jobs import Resources
from scoring.metric import Measurement

METRICS = plugins.names("metric")
PARTLY_NULL = {"acoustics"}
"""Metrics of which some values cannot be measured of every clip."""

KINDS = [("metric", name) for name in METRICS] + [("asr", name) for name in plugins.names("asr")]


def test_the_required_plugins_exist():
    """SpeechJudge's metrics (WER, SIM, DNSMOS) with its recognisers, and prosody for the judge without a key."""
    assert {"wer", "sim", "dnsmos", "prosody"} <= set(METRICS)
    assert {"whisper_tiny", "whisper_large_v3", "paraformer_zh"} <= set(plugins.names("asr"))


@pytest.mark.parametrize(("kind", "name"), KINDS)
def test_plugin_is_a_frozen_configuration(kind, name):
    """A frozen dataclass with defaults, resources and a cheap word on what is missing."""
    plugin = plugins.configure(kind, name)
    assert dataclasses.is_dataclass(plugin)
    with pytest.raises(dataclasses.FrozenInstanceError):
        plugin.anything = 1
    assert isinstance(plugin.resources, Resources)
    assert plugin.missing() is None or isinstance(plugin.missing(), str)


def test_configuring_loads_nothing_heavy():
    """Importing every plug-in and asking what is missing must not import a model library: the command line does it at start."""
    code = (
        "import sys\nfrom contracts import plugins\n"
        f"for kind, name in {KINDS!r}:\n    plugins.configure(kind, name).missing()\n"
        "print(sorted({'torch', 'librosa', 'onnxruntime', 'faster_whisper', 'resemblyzer', 'transformers', 'scipy', 'jiwer'}"
        " & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_value_names_belong_to_one_metric():
    """Filters and judges read values by name alone."""
    names = [value for name in METRICS for value in plugins.load("metric", name).value_names]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", METRICS)
def test_answers_depend_on_the_clip_alone(name, opened, reader, speaker):
    """Same clips in another order and another batch: the same answers, complete and finite."""
    session = opened(name)
    names = set(plugins.load("metric", name).value_names)
    requests = [clip.request(reference=reader[1]) for clip in (reader[0], speaker[0])]
    answers = list(session.measure(requests))
    assert all(isinstance(answer, Measurement) and set(answer.values) == names for answer in answers)
    values = [value for answer in answers for value in answer.values.values() if value is not None or name not in PARTLY_NULL]
    assert values
    assert all(math.isfinite(value) for value in values)
    assert list(session.measure(requests[::-1]))[::-1] == answers
    assert list(session.measure(requests[:1])) == answers[:1]
    assert list(session.measure([])) == []
    assert session.model
    assert session.model_version
    assert plugins.configure("metric", name).installed_version() in (session.model_version, None)
    assert "/" not in session.model
