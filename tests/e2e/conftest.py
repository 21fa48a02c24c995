"""Small real builds: real corpora, engines, Ray and Prefect; only the paid judge's far end is ours."""

import os
import subprocess

import pytest


@pytest.fixture(scope="session")
def environment(tmp_path_factory):
    """The environment of builds: a Prefect home of their own, whose database is made once."""
    home = tmp_path_factory.mktemp("prefect")
    return os.environ | {"PREFECT_HOME": str(home), "PYTHONUNBUFFERED": "1", "GEMINI_API_KEY": "test-key"}


@pytest.fixture(scope="session")
def api(environment):
    """The variables of a Prefect server of the user's own, which the builds need not start."""
    from flows.run.local_api import _PrivateServer

    with _PrivateServer() as server:
        assert server.answers(180)
        yield {"PREFECT_API_URL": server.url, "PREFECT_API_AUTH_STRING": server.login}


@pytest.fixture
def call_log(tmp_path, environment):
    """Put counters before the real engines' programs: each call is a line of the log, then the real program runs."""
    shims, log = tmp_path / "bin", tmp_path / "calls"
    shims.mkdir()
    log.touch()
    for program in ("flite", "text2wave"):
        real = subprocess.run(["which", program], capture_output=True, text=True, check=True).stdout.strip()
        shim = shims / program
        # The text is in the arguments or on standard input; a sum of both names the request.
        shim.write_text(
            f'#!/bin/bash\nT=$(mktemp)\ntrap \'rm -f "$T"\' EXIT\n[ -t 0 ] || cat > "$T"\n'
            f'echo "{program} $( (printf %s "$*" | sed s,/[^\\ ]*,,g; cat "$T") | md5sum)" >> {log}\n{real} "$@" < "$T"\n'
        )
        shim.chmod(0o755)
    environment["PATH"] = f"{shims}:{os.environ['PATH']}"
    yield log
    environment["PATH"] = os.environ["PATH"]
