"""A plug-in in another interpreter, seen from the process that uses it: a child process and its pipes."""

import contextlib
import importlib
import os
import selectors
import shutil
import subprocess
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final

from contracts import errors
from contracts.errors import SetupError, UnisrmError
from contracts.plugin_environment import SESSION_REQUIREMENTS, Environment
from storage.environments.child_variables import session_variables
from storage.environments.session_messages import MessageError, class_name, receive, send

PROJECT_ROOT: Final = Path(__file__).resolve().parents[2]
_HOST: Final = "storage/environments/session_host.py"
_ROOT_IN_IMAGE: Final = "/unisrm-data"
_QUESTION_LIMIT_S: Final = 600.0
_LAST_WORDS: Final = 600


class SessionDied(Exception):
    """The process of a session has ended while it worked, or does not make sense; the message has its last words."""


class SessionError(Exception):
    """A session raised an error of its own.

    Attributes:
        reason: name of the error's class.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class HostProcess:
    """A child process that has configured one plug-in.

    Args:
        kind: kind of the plug-in.
        name: its name.
        options: its options.
        environment: where it runs; not our own.
        python: the interpreter; None = that of the environment's image.
        answers: the dataclasses that a session may answer with.

    Raises:
        SetupError: the interpreter does not start, or cannot import the plug-in.
        RecipeError: the plug-in refuses its options.
    """

    def __init__(
        self,
        kind: str,
        name: str,
        options: Mapping[str, Any],
        *,
        environment: Environment,
        python: Path | None,
        answers: Sequence[type],
    ) -> None:
        self._who = f"{kind} {name}"
        self._environment = environment
        self._classes = {class_name(one): one for one in answers}
        self._unread = False
        self._log: IO[bytes] = tempfile.TemporaryFile(prefix="session-")  # noqa: SIM115 - open as long as the process runs
        command = [str(python), str(PROJECT_ROOT / _HOST)] if python else container_command(environment)
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, env=session_variables(python)
            )
        except OSError as error:
            raise SetupError(f"{self._who}: its interpreter {command[0]} does not start: {error}") from None
        weakref.finalize(self, _end, self._process)
        self.ask(do="configure", kind=kind, name=name, options=dict(options))

    def ask(self, *, limit_s: float | None = _QUESTION_LIMIT_S, **request: Any) -> Any:
        """Return the answer to a request (see ``session_host``).

        Raises:
            SetupError: the process ends or does not answer in time; or the plug-in raises it.
            UnisrmError: the plug-in raises it.
            SessionError: the plug-in raises another error.
        """
        try:
            self._send(request)
            return self._receive(limit_s)["answer"]
        except SessionDied as death:
            needed = f"it needs {', '.join(SESSION_REQUIREMENTS)} and the packages of the plug-in"
            raise SetupError(f"{self._who}: its environment ({self._environment}) does not work; {needed}; {death}") from None

    def call(self, method: str, *arguments: Any, many: bool) -> Iterator[Any]:
        """Yield what a method of the open session returns: one value, or for ``many`` the items of its iterator.

        Raises:
            SessionDied: the process has ended.
            SessionError: the session raised an error; the session stays open.
            UnisrmError: the session raised it.
            OSError: the session could not write.
        """
        while self._unread:  # a caller that failed has left answers behind
            with contextlib.suppress(SessionError, UnisrmError, OSError):
                self._unread = "answer" in self._receive(None)
        self._send({"do": "call", "method": method, "arguments": list(arguments), "many": many})
        self._unread = many
        while "answer" in (message := self._receive(None)):
            yield message["answer"]
            if not many:
                return
        self._unread = False

    def close(self) -> None:
        """End the process."""
        _end(self._process)

    def _send(self, request: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            send(self._process.stdin, request)  # type: ignore[arg-type]
        except (OSError, ValueError):  # nobody reads, or it was ended here before
            raise self._death() from None

    def _receive(self, limit_s: float | None) -> dict[str, Any]:
        assert self._process.stdout is not None
        if limit_s is not None and not _is_readable(self._process.stdout, limit_s):
            self.close()
            raise SetupError(f"{self._who}: its environment does not answer within {limit_s:.0f} s")
        try:
            message: dict[str, Any] = receive(self._process.stdout, self._resolved)  # type: ignore[arg-type]
        except (EOFError, ValueError):  # it has ended, or was ended here before
            raise self._death() from None
        except MessageError as error:
            self.close()  # what follows in the stream cannot be told apart
            raise SessionDied(str(error)) from None
        if "raised" in message:
            self._unread = False
            raise _raised(message["raised"])
        return message

    def _resolved(self, name: str) -> type:
        if name not in self._classes:
            raise MessageError(f"{self._who} answered with a {name}")
        return self._classes[name]

    def _death(self) -> SessionDied:
        self.close()
        code = self._process.returncode
        how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        self._log.seek(max(0, self._log.seek(0, os.SEEK_END) - 4 * _LAST_WORDS))
        words = " ".join(self._log.read().decode("utf-8", "replace").split())[-_LAST_WORDS:]
        return SessionDied(f"its process {how}: {words}" if words else f"its process {how}")


def container_command(environment: Environment) -> list[str]:
    """Return the command that runs the host in a container, by podman or docker, whichever is there.

    The project's folder is read-only in it, and so are the mounts. The container ends with its standard input.

    Raises:
        SetupError: neither program is there.
    """
    program = shutil.which("podman") or shutil.which("docker")
    if program is None:
        raise SetupError(f"image {environment.image}: neither podman nor docker is installed: install one of them")
    assert environment.image is not None
    mounts = [f"{PROJECT_ROOT}:{_ROOT_IN_IMAGE}:ro", *(f"{mount}:{mount}:ro" for mount in environment.mounts)]
    return [
        *(program, "run", "--rm", "--interactive", "--network", "none", "--pull", "missing"),
        *(word for mount in mounts for word in ("--volume", mount)),
        *_gpu_options(program),
        *(environment.image, "python3", f"{_ROOT_IN_IMAGE}/{_HOST}"),
    ]


def _gpu_options(program: str) -> list[str]:
    """Return the options that pass on the GPUs that this process may use; Ray names them in the environment."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    if not visible or visible == "-1":
        return []
    if program.endswith("podman"):
        return [word for device in visible.split(",") for word in ("--device", f"nvidia.com/gpu={device}")]
    return ["--gpus", f'"device={visible}"']


def _is_readable(stream: IO[bytes], limit_s: float) -> bool:
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        return bool(selector.select(limit_s))


def _raised(described: Mapping[str, Any]) -> Exception:
    """Return the error of a session: of the same class if it is one of ours or of the operating system's."""
    message, name = str(described["message"]), str(described["type"])
    if described["ours"]:
        known = getattr(importlib.import_module(errors.__name__), name, SetupError)
        if isinstance(known, type) and issubclass(known, UnisrmError):
            return known(message)
    if described["errno"] is not None:
        return OSError(int(described["errno"]), message)
    return SessionError(name, f"{message} ({described['where']})")


def _end(process: subprocess.Popen[bytes]) -> None:
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
    process.kill()
    process.wait()
