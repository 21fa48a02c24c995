"""How a process ends: by signals, by an error of another thread, by an error of its own, or because nobody reads it."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from tests.e2e.builds import CLI, ROOT, SIGNALS_ON

ANOTHER_TIME = "; the same command carries on where this one stopped\n"
START = """
import subprocess, sys, threading, time
from contracts.errors import SetupError
from contracts.interrupts import interrupt_main
from flows.run.ending import run

def ready():
    print("ready", flush=True)
"""


def begun(command):
    """Start a process with that body of a command, and wait until it has said ``ready``."""
    code = f"{START}\ndef command():\n{textwrap.indent(textwrap.dedent(command), '    ')}\nsys.exit(run(command))"
    process = subprocess.Popen(
        [*SIGNALS_ON, sys.executable, "-c", code],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    return process


def ended(process):
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err


@pytest.mark.parametrize(
    ("number", "code", "why"),
    [
        (signal.SIGINT, 130, "interrupted"),
        (signal.SIGTERM, 143, "terminated"),
        (signal.SIGHUP, 129, "the terminal has gone"),
    ],
)
def test_a_signal_is_one_line_and_the_usual_code(number, code, why):
    """What the command waits for is interrupted at once."""
    process = begun("ready(); time.sleep(60)")
    process.send_signal(number)
    assert ended(process) == (code, "", f"unisrm-data: {why}{ANOTHER_TIME}")


def test_later_signals_do_not_cut_the_clean_up_short():
    """The clean-up ends, and the first signal decides the code."""
    process = begun("try:\n    ready(); time.sleep(60)\nfinally:\n    ready(); time.sleep(1); print('clean')")
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    assert ended(process) == (130, "clean\n", f"unisrm-data: interrupted{ANOTHER_TIME}")


def test_nothing_holds_the_end_up():
    """A library that swallows the exception, and children deaf to signals in sessions of their own, have five seconds."""
    process = begun(
        """
        deaf = ["sh", "-c", "trap '' INT TERM; sleep 300 & sleep 300"]
        child = subprocess.Popen(deaf, start_new_session=True)
        print("ready", flush=True)
        words = [child.pid]
        while True:
            try:
                while words:
                    print(words.pop(), flush=True)  # in here, as the signal follows at once
                time.sleep(60)
            except BaseException:
                pass
        """
    )
    group = int(process.stdout.readline())
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert ended(process) == (143, "", f"unisrm-data: terminated{ANOTHER_TIME}")
    assert 4 < time.monotonic() - began < 8
    deadline = time.monotonic() + 10
    while _in_group(group) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _in_group(group) == []


def _in_group(group):
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, its_group = entry.read_text(errors="replace").rpartition(") ")[2].split()[:3]
        except OSError:
            continue
        if int(its_group) == group and state not in "ZX":
            found.append(entry)
    return found


def test_the_exit_itself_is_bounded():
    """A library that hangs in the interpreter's exit does not keep the process, and the code stays."""
    process = begun("import atexit, flows.run.ending\nflows.run.ending._EXIT_S = 0.5\natexit.register(time.sleep, 60)\nready()")
    began = time.monotonic()
    assert ended(process) == (0, "", "")
    assert time.monotonic() - began < 20


def test_a_thread_ends_the_command_with_an_error():
    """A lost lease, found by a thread, is an error as if the command had raised it, whatever the command waits for."""
    process = begun(
        """
        threading.Timer(0.3, interrupt_main, [SetupError("another build took over")]).start()
        ready()
        threading.Event().wait()
        """
    )
    assert ended(process) == (2, "", "unisrm-data: another build took over\n")


def test_an_error_is_one_line_and_a_defect_a_traceback():
    """Line breaks in a message do not make more lines; what nobody raised on purpose is shown whole."""
    assert ended(begun("ready(); raise SetupError('no\\n  disk')")) == (2, "", "unisrm-data: no disk\n")
    code, _, err = ended(begun("ready(); 1 / 0"))
    assert code == 1
    assert "ZeroDivisionError" in err


def test_a_server_that_is_gone_ends_the_command_in_one_line():
    """After its work a flow would try for minutes to tell a dead Prefect server; an error of the work's own comes first."""
    body = """
        from flows.run.local_api import PrefectApi
        api = PrefectApi("http://127.0.0.1:1/api")
        api.outage_s = 0.2
        try:
            with api.in_reach():
                ready()
                {work}
        except KeyboardInterrupt:
            time.sleep(60)
    """
    code, _, err = ended(begun(body.format(work="pass")))
    assert code == 2
    assert err.startswith("unisrm-data: the Prefect server at PREFECT_API_URL=http://127.0.0.1:1/api does not answer any more")
    assert ended(begun(body.format(work="raise SetupError('no engine')"))) == (2, "", "unisrm-data: no engine\n")


@pytest.mark.parametrize("command", [["doctor"], ["doctor", "--json"], ["--help"]])
def test_nobody_has_to_read_the_output(command):
    """``unisrm-data doctor | head -1`` ends quietly: no traceback from the command or from the interpreter's end."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([CLI, *command], stdout=writer, stderr=subprocess.PIPE, text=True, cwd=ROOT, check=False, timeout=120)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


def test_an_error_of_a_plugin_of_ones_own_is_one_line(tmp_path):
    """With its file and line; a defect of the program keeps its traceback."""
    file = tmp_path / "filter" / "mine.py"
    file.parent.mkdir()
    file.write_text("PLUGIN = 1\n\n\ndef reasons():\n    return {}['x']\n")
    body = f"""
    import importlib.util, os
    os.environ["UNISRM_PLUGINS"] = {str(tmp_path)!r}
    spec = importlib.util.spec_from_file_location("unisrm_plugins.filter.mine", {str(file)!r})
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    ready()
    module.reasons()
    """
    assert ended(begun(body)) == (2, "", f"unisrm-data: filter 'mine' ({file}, line 5) fails: KeyError: 'x'\n")
    code, _, err = ended(begun("ready(); {}['x']"))
    assert (code, err.splitlines()[-1]) == (1, "KeyError: 'x'")
    assert "Traceback" in err
