"""Real object stores on loopback for tests: SeaweedFS, which honours conditional writes, and rclone, which ignores them."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import fsspec
import pytest

BUCKET = "bucket"
KEY, SECRET = "tester", "not-a-secret"
_START_S = 60.0


def environment(endpoint: str) -> dict[str, str]:
    """Return what leads ``s3://`` to a server here, and nowhere else."""
    return {
        "FSSPEC_S3_ENDPOINT_URL": endpoint,
        "FSSPEC_S3_KEY": KEY,
        "FSSPEC_S3_SECRET": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1",
    }


@contextlib.contextmanager
def leading_to(endpoint: str) -> Iterator[None]:
    """Lead this process's ``s3://`` to a server."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(endpoint).items():
            patch.setenv(name, value)
        fsspec.config.set_conf_env(fsspec.config.conf)  # it was read at import
        try:
            yield
        finally:
            fsspec.config.conf.pop("s3", None)


def _program(name: str) -> str:
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.exists() else shutil.which(name) or name


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@dataclass
class Server:
    """A server on loopback that can be killed and started again.

    Attributes:
        command: how it is started.
        endpoint: its address.
        log: file of what it says.
    """

    command: Sequence[str]
    endpoint: str
    log: Path
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(self.command, stdout=output, stderr=output, cwd=self.log.parent)
        until = time.monotonic() + _START_S
        while not _answers(self.endpoint):
            assert self._process.poll() is None, self.log.read_text(errors="replace")[-2000:]
            assert time.monotonic() < until, self.log.read_text(errors="replace")[-2000:]
            time.sleep(0.1)

    def kill(self) -> None:
        """``kill -9`` it."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()


@contextlib.contextmanager
def _running(server: Server) -> Iterator[Server]:
    try:
        server.start()
        yield server
    finally:
        server.kill()


def _answers(endpoint: str) -> bool:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(endpoint, timeout=2):
            return True
    except urllib.error.HTTPError:
        return True  # it wants to know who asks
    except OSError:
        return False


def make_bucket(endpoint: str) -> None:
    """Make the bucket if it is not there, and wait until it can be written to."""
    import s3fs

    until = time.monotonic() + _START_S
    while True:
        store = s3fs.S3FileSystem(
            key=KEY, secret=SECRET, endpoint_url=endpoint, client_kwargs={"region_name": "us-east-1"}, skip_instance_cache=True
        )
        try:
            with contextlib.suppress(FileExistsError):
                store.call_s3("create_bucket", Bucket=BUCKET)
            store.pipe_file(f"{BUCKET}/ready", b"")  # the parts of the server find each other one after the other
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


@contextlib.contextmanager
def seaweedfs() -> Iterator[Server]:
    """Run SeaweedFS, whose data outlive it while the context is open."""
    with tempfile.TemporaryDirectory(prefix="weed") as folder:
        master, volume, filer, s3 = _free_ports(4)
        identity = {
            "name": KEY,
            "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        config = Path(folder) / "s3.json"
        config.write_text(json.dumps({"identities": [identity]}), encoding="utf-8")
        (Path(folder) / "data").mkdir()
        endpoint = f"http://127.0.0.1:{s3}"
        # Every server here has a second port for gRPC: by default 10,000 above, which may be no port at all.
        grpc = dict(zip(("master", "volume", "filer", "s3"), _free_ports(4), strict=True))
        command = [
            _program("weed"), "server", f"-dir={folder}/data", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
            f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}", "-filer", "-s3", f"-s3.port={s3}",
            *(f"-{part}.port.grpc={port}" for part, port in grpc.items()),
            "-s3.port.iceberg=0", "-s3.port.lance=0",  # else at ports of their own choice
            f"-s3.config={config}", "-volume.max=10", "-master.volumeSizeLimitMB=64", "-master.telemetry=false",
        ]  # fmt: skip
        with _running(Server(command, endpoint, Path(folder) / "log")) as server:
            make_bucket(endpoint)
            yield server


@contextlib.contextmanager
def rclone() -> Iterator[Server]:
    """Run rclone's S3 server over a folder."""
    with tempfile.TemporaryDirectory(prefix="rclone") as folder:
        (Path(folder) / "data" / BUCKET).mkdir(parents=True)
        endpoint = f"http://127.0.0.1:{_free_ports(1)[0]}"
        command = [
            _program("rclone"), "serve", "s3", f"{folder}/data", "--addr", endpoint.removeprefix("http://"),
            "--auth-key", f"{KEY},{SECRET}", "--config", os.devnull,
        ]  # fmt: skip
        with _running(Server(command, endpoint, Path(folder) / "log")) as server:
            yield server


def _here(endpoint: str) -> Iterator[str]:
    with leading_to(endpoint):
        yield f"s3://{BUCKET}/{uuid4().hex[:8]}"


@pytest.fixture(scope="session")
def strong_server() -> Iterator[str]:
    with seaweedfs() as server:
        yield server.endpoint


@pytest.fixture(scope="session")
def weak_server() -> Iterator[str]:
    with rclone() as server:
        yield server.endpoint


@pytest.fixture
def strong(strong_server: str) -> Iterator[str]:
    """URL of a new workspace in a store that honours conditional writes."""
    yield from _here(strong_server)


@pytest.fixture
def weak(weak_server: str) -> Iterator[str]:
    """URL of a new workspace in a store that ignores them."""
    yield from _here(weak_server)
