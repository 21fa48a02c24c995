"""Builds that are hit: a signal to one kind of process of a build's tree, in a stage, and what is left when it has ended."""

import contextlib
import hashlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

import fsspec

from annotate.models.ledger.ledger import Ledger
from contracts.errors import WorkspaceLocked
from flows.run.kind import stages_of
from flows.run.marks import execute
from flows.run.pipeline import open_build
from flows.stages.release import release_of
from storage.workspace import Workspace
from tests.annotate.gemini_server import Answer, GeminiServer, card, reply, serving
from tests.e2e.builds import CLI, ROOT, SIGNALS_ON, tiny_recipe
from tests.flows.small import without_ray

AUDIT = re.compile(r"unisrm-data: (?:shortcuts: |no shortcut |too few independent items ).*")
"""What every build that releases ends with."""

PROGRESS = re.compile(
    r"\w+: (\d+ to do|\d+/\d+, \d+ failed, .* left|\d+ done, \d+ failed, in .* s)(; \w+: \d+/\d+ already)?|  \S+: \d+ in [\d.]+ s, .*"
)
MARK = "UNISRM_TEST_BUILD"
KINDS = {
    "create_app": "prefect",
    "flows.run.ray_process": "ray_process",
    "raylet/raylet": "raylet",
    "gcs_server": "gcs_server",
    "agent": "agent",
    "log_monitor": "log_monitor",
    "monitor.py": "monitor",
    "dashboard": "dashboard",
    "ray::": "worker",
    "default_worker": "worker",
    "flite": "engine",
    "espeak": "engine",
}
"""What a command line contains -> the kind of process; the first that fits."""


@dataclass
class Judge:
    """The paid judge's far end; each reply takes ``delay_s``, and can be told apart by what it cost."""

    server: GeminiServer
    delay_s: float = 0.0

    @classmethod
    @contextlib.contextmanager
    def serving(cls) -> Iterator["Judge"]:
        """Serve on loopback while the context is open."""

        def answer(_number: int, prompt: str) -> Answer:
            return Answer(body=reply(card(prompt)), delay_s=judge.delay_s)

        with serving(answer) as server:
            judge = cls(server)
            yield judge

    @property
    def bill_usd(self) -> float:
        """What has been charged so far, replies included that nobody received."""
        return self.server.bill.usd

    @property
    def answered(self) -> int:
        """How many replies were sent in full."""
        return sum(self.server.answered.values())


@dataclass
class Prepared:
    """A recipe, workspaces built up to some stages, and the release of a build that nobody disturbed."""

    folder: Path
    recipe: Path
    judge: Judge
    environment: dict[str, str]
    calm: dict[str, str] = field(default_factory=dict)

    @classmethod
    def make(cls, folder: Path, judge: Judge, environment: dict[str, str]) -> "Prepared":
        """Build in this process, without Ray and Prefect: their turn comes in the builds that are hit."""
        recipe = tiny_recipe(
            folder,
            prompts={"texts": 4},
            systems=[{"name": "espeak", "engine": "espeak", "voices": ["en-us"]}, {"name": "flite", "engine": "flite"}],
            judge={"options": {"concurrency": 2, "base_url": judge.server.url}},
            splits={"fractions": {"sft": 1.0}},
        )
        shims = folder / "bin"
        shims.mkdir()
        for engine in ("espeak-ng", "flite"):
            if real := shutil.which(engine):
                (shims / engine).write_text(f'#!/bin/sh\ncase "$*" in *version*) ;; *) sleep 0.4 ;; esac\nexec {real} "$@"\n')
                (shims / engine).chmod(0o755)
        slow = environment | {"PATH": f"{shims}:{environment['PATH']}"}
        made = cls(folder=folder, recipe=recipe, judge=judge, environment=slow)
        build = open_build(recipe, str(folder / "calm"))
        with without_ray(), patch.dict(os.environ, environment):
            for stage in stages_of(build):
                if stage.name in {"samples", "judgments"}:
                    shutil.copytree(folder / "calm", folder / f"before {stage.name}")
                execute(stage, build)
        made.calm = digests(release_of(build))
        return made

    def copy(self, stage: str, name: str) -> Path:
        """Return a fresh copy of the workspace in which everything before a stage is done; ``utterances`` = an empty one."""
        workspace = self.folder / name
        if (before := self.folder / f"before {stage}").exists():
            shutil.copytree(before, workspace)
        return workspace

    def owed_usd(self, workspace: Path) -> float:
        """Return what the books of a workspace say."""
        if not (workspace / "ledger.sqlite").exists():
            return 0.0
        with Ledger(str(workspace / "ledger.sqlite"), account="tiny") as ledger:
            return ledger.owed_usd()


@dataclass(frozen=True)
class Process:
    """One process of a tree."""

    pid: int
    kind: str
    command: str


class Tree:
    """All processes that a build starts, found by a variable of their environment, their parents and their sessions."""

    def __init__(self, mark: str) -> None:
        self._mark = f"{MARK}={mark}".encode()
        self._known: dict[tuple[int, str], bool] = {}
        self._sessions: set[int] = set()

    def living(self) -> list[Process]:
        """Return those that are running now, the driver first."""
        stats = {}
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text(errors="replace").rpartition(") ")[2].split()
                stats[int(entry.name)] = (fields[0], int(fields[1]), int(fields[3]), fields[19])
        ours = {pid for pid, (_, _, session, started) in stats.items() if self._is_ours(pid, session, started)}
        while more := {pid for pid, (_, parent, _, _) in stats.items() if parent in ours} - ours:
            ours |= more
        self._sessions |= {pid for pid in ours if stats[pid][2] == pid}
        self._known |= {(pid, stats[pid][3]): True for pid in ours}
        living = []
        for pid in sorted(ours):
            with contextlib.suppress(OSError):
                if stats[pid][0] not in "ZX":
                    command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                    living.append(Process(pid, _kind(command), command[:120]))
        return living

    def _is_ours(self, pid: int, session: int, started: str) -> bool:
        if session in self._sessions:
            return True
        if (pid, started) not in self._known:
            try:
                self._known[pid, started] = self._mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            except OSError:
                return False
        return self._known[pid, started]


def _kind(command: str) -> str:
    if str(CLI) in command:
        return "driver"
    return next((kind for part, kind in KINDS.items() if part in command), "other")


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a build ended.

    Attributes:
        seconds: from the first hit to the end.
        code: exit code; negative for a signal that killed it, None if it had to be killed because it hung.
        lines: what it said on stderr beside its progress and its audit.
        released: folder or URL of the release, if it named one.
        left: processes of its tree that were still there ten seconds later.
        locked: whether the workspace was still locked.
    """

    seconds: float
    code: int | None
    lines: list[str]
    released: str | None
    left: list[str]
    locked: bool


class Running:
    """A build in a session of its own, as a terminal would start it."""

    def __init__(self, prepared: Prepared, workspace: Path | str, *options: str, **environment: str) -> None:
        self._workspace = Workspace(workspace)
        mark = f"{workspace} {time.monotonic_ns()}"
        self._tree = Tree(mark)
        self._process = subprocess.Popen(
            [*SIGNALS_ON, CLI, "build", prepared.recipe, "-w", workspace, *options],
            env=prepared.environment | environment | {MARK: mark},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            start_new_session=True,
        )
        self._hit_at: float | None = None

    def living(self, *kinds: str) -> list[Process]:
        """Return its running processes of these kinds; all without any."""
        return [process for process in self._tree.living() if not kinds or process.kind in kinds]

    def marked(self, stage: str) -> bool:
        """Tell whether a stage has finished."""
        return self._workspace.exists(f"stages/{stage}.json")

    def lives(self) -> bool:
        """Tell whether it has not ended yet."""
        return self._process.poll() is None

    def wait_until(self, condition: Callable[[], object], limit_s: float = 240.0) -> bool:
        """Wait for a condition; False if the build ended before."""
        deadline = time.monotonic() + limit_s
        while self._process.poll() is None and time.monotonic() < deadline:
            if condition():
                return True
            time.sleep(0.05)
        return False

    def hit(self, number: int, kind: str = "driver", *, all_of_them: bool = False) -> list[Process]:
        """Send a signal to a process of that kind (or to all); ``terminal`` = to the build's process group, as Ctrl-C does."""
        self._hit_at = self._hit_at or time.monotonic()
        if kind == "terminal":
            os.killpg(self._process.pid, number)
            return []
        targets = [Process(self._process.pid, kind, "")] if kind == "driver" else self.living(kind)
        hit = []
        for target in targets if all_of_them else targets[-1:]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(target.pid, number)
                hit.append(target)
        return hit

    def end(self, limit_s: float = 60.0) -> Ended:
        """Wait for the end, and look at what is left."""
        hung, began = False, self._hit_at or time.monotonic()
        try:
            out, err = self._process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            hung = True
        seconds = time.monotonic() - began
        if hung:
            for process in self.living():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGKILL)
            out, err = self._process.communicate()
        deadline = time.monotonic() + 10
        while (left := self.living()) and time.monotonic() < deadline:
            time.sleep(0.1)
        for process in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        found = re.search(r"^release: (.*)$", out, re.MULTILINE)
        return Ended(
            seconds=seconds,
            code=None if hung else self._process.returncode,
            lines=[line for line in err.splitlines() if not (PROGRESS.fullmatch(line) or AUDIT.fullmatch(line))],
            released=found[1] if found else None,
            left=[f"{process.kind}: {process.command}" for process in left],
            locked=_locked(self._workspace),
        )


def _locked(workspace: Workspace) -> bool:
    if not workspace.exists("lock"):
        return False
    try:
        with workspace.lock():
            return False
    except WorkspaceLocked:
        return True


def digests(release: Path | str) -> dict[str, str]:
    """Return path -> sha256 of all files of a release."""
    filesystem, root = fsspec.core.url_to_fs(str(release))
    files = {path.removeprefix(f"{root}/"): filesystem.cat_file(path) for path in sorted(filesystem.find(root))}
    return {path: hashlib.sha256(data).hexdigest() for path, data in files.items()}
