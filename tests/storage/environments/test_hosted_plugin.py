"""Sessions in another interpreter: they answer as they would here, whatever the plug-in does to its process.

The interpreter is this one, so that no package is needed; ``tests/flows/run/test_excluding_environments.py`` has others.
"""

import errno
import os
import pickle
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from contracts import plugins
from contracts.errors import RecipeError, SetupError
from contracts.jobs import Failure
from contracts.plugin_environment import OWN, Environment
from flows.run.linux_processes import is_running
from scoring.hosted_model import HostedMetric, placed_metric, placed_transcriber
from storage.environments.child_variables import uv_variables, withheld
from storage.environments.host_process import HostProcess, SessionDied, SessionError, container_command
from storage.environments.hosted_plugin import HostedPlugin
from synth.engine import RenderRequest, Waveform
from synth.hosted_engine import HostedEngine, placed_engine

HERE = Environment(interpreter=sys.executable)

ENGINE = '''
"""An engine that does what a text says."""

import os
from dataclasses import dataclass

import numpy as np

from contracts.errors import SetupError
from contracts.jobs import Failure, Resources
from synth.engine import Voice, Waveform

print("this module prints")


@dataclass(frozen=True, kw_only=True)
class Obedient:
    architecture = "none"
    languages = ("en",)
    clones_voice = False
    ascii_only = False
    controls = ()
    session_modules = ("{module}",)
    opens: str = "yes"

    @property
    def resources(self):
        return Resources(batch_size=4)

    def voices(self):
        return (Voice(name="v", model="obedient", license="CC0-1.0", architecture="none", sample_rate_hz=16000),)

    def missing(self):
        return None if self.opens != "missing" else "pip install it"

    def installed_version(self):
        return "obedient 1"

    def params(self):
        return {{}}

    def open(self):
        if self.opens == "no":
            raise SetupError("the model file is gone")
        if self.opens == "dies":
            os.abort()
        return Session()


class Session:
    version = "obedient 1"

    def render(self, requests):
        for request in requests:
            yield speak(request.text)


def speak(text):
    print("libraries print", flush=True)
    os.write(1, b"and so do their C parts")
    match text:
        case "fail":
            return Failure("no_good", "a failure of one request")
        case "raise":
            raise ZeroDivisionError("the engine broke")
        case "full":
            raise OSError({enospc}, "no space left")
        case "refuse":
            raise SetupError("the driver is gone")
        case "die":
            print("last words", flush=True)
            os._exit(3)
        case "pid":
            return Failure("pid", str(os.getpid()))
        case "variables":
            return Failure("variables", " ".join(sorted(name for name, value in os.environ.items() if "planted" in value)))
        case "odd":
            return np.dtype("f4")
    return Waveform(np.arange(int(text), dtype=np.float32), 16000)


PLUGIN = Obedient
'''


@pytest.fixture
def engine(tmp_path, monkeypatch):
    """Return the engine in an interpreter of its own, by its options."""
    monkeypatch.setenv(plugins.FOLDERS, "")

    def placed(module="wave", **options):
        (tmp_path / "engine").mkdir(exist_ok=True)
        (tmp_path / "engine" / "obedient.py").write_text(ENGINE.format(module=module, enospc=errno.ENOSPC))
        sys.modules.pop("unisrm_plugins.engine.obedient", None)
        plugins.add_folder(tmp_path)
        return placed_engine("obedient", options, HERE)

    yield placed
    sys.modules.pop("unisrm_plugins.engine.obedient", None)


def requests(*texts):
    return [RenderRequest(text=text, language="en", voice="v", seed=1, reference=None) for text in texts]


def test_answers_come_in_order(engine):
    """Waveforms and failures; what the plug-in prints is not among them."""
    session = engine().open()
    assert session.version == "obedient 1"
    first, second, third = session.render(requests("3", "fail", "100000"))
    assert isinstance(first, Waveform)
    np.testing.assert_array_equal(first.samples, np.arange(3, dtype=np.float32))
    assert second == Failure("no_good", "a failure of one request")
    assert len(third.samples) == 100_000


def test_an_error_of_one_batch_leaves_the_session_open(engine):
    """The name of the foreign error counts the failures; the next batch is answered by the same process."""
    session = engine().open()
    (pid,) = session.render(requests("pid"))
    with pytest.raises(SessionError, match=r"the engine broke \(speak, line \d+\)") as raised:
        list(session.render(requests("1", "raise", "1")))
    assert raised.value.reason == "ZeroDivisionError"
    with pytest.raises(SessionError, match="cannot cross"):
        list(session.render(requests("odd")))
    assert list(session.render(requests("pid"))) == [pid]


def test_a_full_disk_and_a_setup_error_are_what_they_are_here(engine):
    """The fan-out stops the stage for them."""
    session = engine().open()
    with pytest.raises(OSError, match="no space left") as full:
        list(session.render(requests("full")))
    assert full.value.errno == errno.ENOSPC
    with pytest.raises(SetupError, match="the driver is gone"):
        list(session.render(requests("refuse")))


def test_answers_that_nobody_took_are_not_those_of_the_next_batch(engine):
    """A caller that fails in the middle of a batch leaves answers behind."""
    session = engine().open()
    answers = iter(session.render(requests("1", "2", "raise")))
    next(answers)
    assert [len(answer.samples) for answer in session.render(requests("5", "6"))] == [5, 6]


def test_a_death_is_told_with_its_last_words(engine):
    """Killed from outside, or ended by a request."""
    session = engine().open()
    with pytest.raises(SessionDied, match=r"ended with code 3: .*last words"):
        list(session.render(requests("1", "die")))
    session = engine().open()
    (pid,) = session.render(requests("pid"))
    os.kill(int(pid.message), signal.SIGKILL)
    with pytest.raises(SessionDied, match="was killed by signal 9"):
        list(session.render(requests("1")))


def test_what_is_missing_is_asked_in_there(engine):
    """The plug-in's own word, a module that cannot be imported, and options that it refuses."""
    assert engine().missing() is None
    assert engine().installed_version() == "obedient 1"
    assert engine(opens="missing").missing().endswith("pip install it")
    assert "no_such_module cannot be imported: ModuleNotFoundError" in engine(module="no_such_module").missing()
    with pytest.raises(RecipeError, match="has no option 'open'"):
        engine(open="yes")


def test_a_session_that_does_not_open_is_a_setup_error(engine):
    """With the plug-in's message, or with how its process ended."""
    with pytest.raises(SetupError, match="the model file is gone"):
        engine(opens="no").open()
    with pytest.raises(SetupError, match=r"its environment .* does not work.*killed by signal 6"):
        engine(opens="dies").open()


def test_foreign_packages_see_no_key(engine, monkeypatch):
    """Not even where the build's own process asks them; uv, which runs their build scripts, keeps the login of its index."""
    planted = {
        **dict.fromkeys(
            ("GEMINI_API_KEY", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "OUR_LLM", "COQUI_TOS", "UV_INDEX_OUR_PASSWORD"), "planted"
        ),
        "DATABASE": "postgresql://me:planted@host/db",
        "HTTPS_PROXY": "http://me:planted@host",
    }
    for name, value in planted.items():
        monkeypatch.setenv(name, value)
    with withheld({"OUR_LLM"}):
        (seen,) = engine().open().render(requests("variables"))
        for_uv = uv_variables()
    assert seen.message == "COQUI_TOS HTTPS_PROXY"
    assert sorted(set(planted) & set(for_uv)) == ["COQUI_TOS", "HTTPS_PROXY", "UV_INDEX_OUR_PASSWORD"]


def test_the_process_ends_with_the_session(engine):
    """Nobody closes it."""
    session = engine().open()
    (pid,) = session.render(requests("pid"))
    assert is_running(int(pid.message))
    del session
    assert not is_running(int(pid.message))


def test_the_process_ends_with_a_parent_that_is_killed(engine, tmp_path):
    """A worker may be killed at any time; its models must not stay on the GPU."""
    engine()
    script = f"""
import sys
sys.path.insert(0, {str(Path.cwd())!r})
from contracts.plugin_environment import Environment
from synth.engine import RenderRequest
from synth.hosted_engine import placed_engine
session = placed_engine("obedient", {{}}, Environment(interpreter=sys.executable)).open()
(pid,) = session.render([RenderRequest(text="pid", language="en", voice="v", seed=1, reference=None)])
print(pid.message, flush=True)
sys.stdin.read()
"""
    parent = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    pid = int(next(line for line in parent.stdout if line.strip().isdigit()))
    assert is_running(pid)
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 20
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_running(pid)
    parent.stdin.close()
    parent.stdout.close()


def test_an_interpreter_that_is_not_one_is_a_setup_error(tmp_path):
    """Not there, or without what every session needs."""
    placed = placed_engine("flite", {}, Environment(interpreter=str(tmp_path / "python")))
    assert "does not start" in placed.missing()
    bare = tmp_path / "bare"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S -E "$@"\n')
    bare.chmod(0o755)
    problem = placed_engine("flite", {}, Environment(interpreter=str(bare))).missing()
    assert "does not work; it needs numpy" in problem
    assert "ModuleNotFoundError" in problem


@pytest.mark.parametrize("name", ["flite", "piper"])
def test_a_real_engine_speaks_there_as_it_does_here(name):
    """The same samples; what a take sets reaches it, too."""
    here, there = placed_engine(name, {}, OWN), placed_engine(name, {}, HERE)
    assert not isinstance(here, HostedEngine)
    voice = here.voices()[0].name
    asked = [RenderRequest(text="Hello there.", language="en", voice=voice, seed=1, reference=None)]
    asked.append(replace(asked[0], duration_factor=1.3))
    (expected, longer), (answer, longer_there) = here.open().render(asked), there.open().render(asked)
    assert there.installed_version() == here.installed_version() == there.open().version
    assert len(longer.samples) > len(expected.samples)
    np.testing.assert_array_equal(longer_there.samples, longer.samples)
    np.testing.assert_array_equal(answer.samples, expected.samples)


def test_metrics_and_recognisers_measure_there_as_they_do_here():
    """A metric as a whole; of error rates the recogniser, while the counting stays here."""
    from scoring.metric import MetricRequest

    clip = np.sin(np.arange(32000, dtype=np.float32) / 20).astype(np.float32)
    asked = [MetricRequest(sample_id="s", waveform=clip, sample_rate_hz=16000, text="one two", language="en")]
    for name in ("dnsmos", "wer"):
        here, there = placed_metric(name, {}, None), placed_metric(name, {}, HERE)
        assert isinstance(there, HostedMetric) == (name == "dnsmos")
        session = there.open()
        assert [contents["kind"] for contents in session.environment_contents] == ["metric" if name == "dnsmos" else "asr"]
        (expected,), (answer,) = here.open().measure(asked), session.measure(asked)
        assert answer.values == pytest.approx(dict(expected.values))
        assert there.installed_version() == here.installed_version()
    assert placed_transcriber("whisper_tiny", {}, HERE).languages == placed_transcriber("whisper_tiny", {}, None).languages


def test_a_hosted_plugin_travels_by_name(engine):
    """The module of a plug-in in a folder is known by no name elsewhere."""
    copy = pickle.loads(pickle.dumps(engine(opens="missing")))
    assert isinstance(copy, HostedPlugin)
    assert copy.plugin.opens == "missing"


def test_a_container_gets_the_project_and_its_mounts_read_only(tmp_path, monkeypatch):
    """And no network. Neither program there: what to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SetupError, match="neither podman nor docker"):
        container_command(Environment(image="speech:1"))
    program = tmp_path / "docker"
    program.touch()
    program.chmod(0o755)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,2")
    command = container_command(Environment(image="speech:1", mounts=("/models",)))
    assert "/models:/models:ro" in command
    assert command[command.index("--network") + 1] == "none"
    assert command[command.index("--gpus") + 1] == '"device=1,2"'
    assert command[-3:-1] == ["speech:1", "python3"]
    project = next(word for word in command if word.endswith(":/unisrm-data:ro")).split(":")[0]
    assert (Path(project) / Path(command[-1]).relative_to("/unisrm-data")).is_file()


def test_an_answer_of_an_unexpected_class_ends_the_session(engine):
    """What a session answers with is known beforehand; nothing else is made of its bytes."""
    placed = engine()
    process = HostProcess("engine", "obedient", {}, environment=HERE, python=Path(sys.executable), answers=(Failure,))
    process.ask(do="open")
    with pytest.raises(SessionDied, match=r"answered with a synth\.engine:Waveform"):
        list(process.call("render", requests("3"), many=True))
    with pytest.raises(SessionDied):
        list(process.call("render", requests("3"), many=True))
    assert placed.answer_classes == (Waveform, Failure)
