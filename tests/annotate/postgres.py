"""A private PostgreSQL server for tests: in a folder of its own, on a socket of its own, and as durable as a real one."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

PASSWORD = "s3cret-öf/the@test"
_PORT = 5432  # of the socket's name; nothing listens on the network


@dataclass(frozen=True, kw_only=True)
class Server:
    """A running server; every test makes a database of its own in it."""

    folder: Path

    def url(self, database: str, password: str = PASSWORD) -> str:
        return f"postgresql://asker:{quote(password, safe='')}@/{database}?host={quote(str(self.folder), safe='')}&port={_PORT}"

    def fresh(self, name: str) -> str:
        """Return the URL of a new, empty database."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            connection.execute(f'CREATE DATABASE "{name}"')
        return self.url(name)


def _program(name: str) -> str | None:
    # Debian keeps the server's programs out of the path, by version.
    return shutil.which(name) or next(map(str, sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)), None)


def _as_server_user(command: list[str], owned: Path) -> list[str]:
    """Return the command as somebody else than root, as whom PostgreSQL refuses to run."""
    if os.geteuid():
        return command
    try:
        user = pwd.getpwnam("postgres")
    except KeyError:
        pytest.skip("PostgreSQL does not run as root, and there is no user postgres: install the package postgresql")
    os.chown(owned, user.pw_uid, user.pw_gid)
    return ["runuser", "-u", "postgres", "--", *command]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    initdb, pg_ctl = _program("initdb"), _program("pg_ctl")
    if initdb is None or pg_ctl is None:
        pytest.skip("there is no PostgreSQL server on this machine: install the package postgresql")
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))  # the name of a socket has room for 107 bytes
    data, password_file = folder / "data", folder / "password"
    password_file.write_text(PASSWORD, encoding="utf-8")
    password_file.chmod(0o644)

    def run(*command: str) -> None:
        done = subprocess.run(_as_server_user(list(command), folder), capture_output=True, text=True, cwd="/", check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    try:
        identity = "--username=asker", "--auth=scram-sha-256", f"--pwfile={password_file}", "--encoding=UTF8", "--locale=C"
        run(initdb, "-D", str(data), *identity)
        options = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=on -c shared_buffers=16MB"
        run(pg_ctl, "-D", str(data), "-w", "-o", options, "-l", str(folder / "log"), "start")
        try:
            yield Server(folder=folder)
        finally:
            run(pg_ctl, "-D", str(data), "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)
