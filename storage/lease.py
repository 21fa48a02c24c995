"""A lease on a workspace in an object store, which has no locks; its owner renews it.

One object names the owner. A dead process on this machine owns nothing. An owner on another machine has the lease until a
minute after its last renewal. Clocks differ and jump, so the time in the object only says when to start watching: the lease is
taken over only if the object then does not change for longer than two renewals. An owner that cannot renew stops before others
may start.
"""

import contextlib
import json
import secrets
import signal
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Self

from contracts.clocks import elapsed_s
from contracts.errors import LeaseLost, StorageError, WorkspaceLocked
from contracts.interrupts import interrupt_main
from contracts.processes import Process
from storage.shared_object import SharedObject, Version, conditions_of

_LEASE_S: Final = 60.0
_RENEW_S: Final = 10.0
_GIVE_UP_S: Final = 50.0
_WATCH_S: Final = 25.0
_LOOK_S: Final = 1.0
_SETTLE_S: Final = 2.0
_RELEASE_S: Final = 3.0
_OLD_LEASE_S: Final = 300.0  # of versions that renewed once a minute and did not write it down

_in_use: Final = set[str]()  # tokens of this process


@dataclass(frozen=True, kw_only=True, slots=True)
class LeaseOwner:
    """The owner of a workspace's lease, as the lock names it.

    Attributes:
        host: name of the machine, for people.
        process: the process.
        token: random name of this lease.
        renewed: time of the last renewal, seconds since 1970 by the owner's clock.
        lease_s: seconds after that at which the lease expires.
    """

    host: str
    process: Process
    token: str
    renewed: float
    lease_s: float

    @classmethod
    def this_process(cls, token: str = "") -> Self:
        """Return this process as an owner, renewed now."""
        return cls(
            host=socket.gethostname(), process=Process.this(), token=token, renewed=round(time.time(), 3), lease_s=_LEASE_S
        )

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Return the owner that a lock names.

        Raises:
            ValueError: the data are no lock.
        """
        try:
            lock: dict[str, Any] = json.loads(data)
            process = Process(space=str(lock.get("space", "")), pid=int(lock["pid"]), started=int(lock.get("started", 0)))
            return cls(
                host=str(lock["host"]),
                process=process,
                token=str(lock.get("token", "")),
                renewed=float(lock["renewed"]),
                lease_s=float(lock.get("lease_s", _OLD_LEASE_S)),
            )
        except (AttributeError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise ValueError(f"no lock: {error!r}") from error

    def to_json(self) -> bytes:
        """Return the content of the lock."""
        process = {"space": self.process.space, "pid": self.process.pid, "started": self.process.started}
        times = {"renewed": self.renewed, "lease_s": self.lease_s}
        return json.dumps({"host": self.host, **process, "token": self.token, **times}).encode()

    def __str__(self) -> str:
        return f"process {self.process.pid} on {self.host}"


def locked(url: str, owner: LeaseOwner | None, advice: str = "wait for it to end, or stop it") -> WorkspaceLocked:
    """Return the error of a workspace that another process has locked."""
    who = "another process" if owner is None else str(owner)
    return WorkspaceLocked(f"workspace {url} is in use by {who}; {advice}, then run the same command again")


class Lease:
    """The lease on one workspace; usable once."""

    def __init__(self, filesystem: Any, path: str, url: str) -> None:
        """Prepare it.

        Args:
            filesystem: of fsspec.
            path: of the lock.
            url: of the workspace, for messages.

        Raises:
            StorageError: the store cannot keep two builds apart.
            OSError: the store fails.
        """
        self._url, self._path = url, path
        self._lock = SharedObject(filesystem, path, conditions_of(filesystem, path.rpartition("/")[0]))
        self._token = secrets.token_hex(8)
        self._renewed_at = 0.0
        self._failure = ""  # of the last renewal
        self._lost: str | None = None
        self._loss_lock = threading.Lock()
        self._done = threading.Event()
        self._interrupts = threading.current_thread() is threading.main_thread()

    @property
    def is_lost(self) -> bool:
        """Whether another process has or may have it."""
        return self._lost is not None

    def check(self) -> None:
        """Check that it is still valid.

        Raises:
            LeaseLost: it is not.
        """
        if self._lost is None and elapsed_s() - self._renewed_at > _GIVE_UP_S:
            self._lose(self._overdue(), interrupt=False)
        if self._lost is not None:
            raise LeaseLost(self._lost)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Acquire the lease and renew it during the block. If it gets lost, the main thread is interrupted.

        Raises:
            WorkspaceLocked: another process has it.
            LeaseLost: it was lost inside the block.
            StorageError: the lock is damaged.
            OSError: the store fails.
        """
        version = self._acquire()
        _in_use.add(self._token)
        renewer = threading.Thread(target=self._renew_until_done, args=(version,), name="lease", daemon=True)
        watcher = threading.Thread(target=self._watch, name="lease-watch", daemon=True)
        renewer.start()
        watcher.start()
        try:
            yield
            self.check()
        except BaseException as error:
            if self._lost is not None and not isinstance(error, LeaseLost):
                raise LeaseLost(self._lost) from error
            raise
        finally:
            self._end(watcher, renewer)

    def _end(self, *threads: threading.Thread) -> None:
        """Release it, without waiting for a store that does not answer: an unrenewed lease expires anyway."""
        self._done.set()
        _in_use.discard(self._token)
        try:
            for thread in threads:
                thread.join(_RELEASE_S)
        except KeyboardInterrupt:
            if not self.is_lost:  # else it is the interrupt of a lease that was lost at the last moment
                raise

    # Acquiring.

    def _acquire(self) -> Version:
        while True:
            found = self._lock.read()
            if found is not None:
                owner = self._owner_of(found)
                if not _is_gone(owner) and not self._was_abandoned(found, owner):
                    continue  # it was released while this process watched
            self._renewed_at = elapsed_s()
            version = self._lock.change(self._ours(), found) if found is not None else self._lock.create(self._ours())
            if version is None:
                raise self._locked(self._lock.read())
            if found is not None and version.tag is None:
                # Without conditional replacement two processes may take over at once: the last write wins.
                time.sleep(_SETTLE_S)
                if (now := self._lock.read()) != version:
                    raise self._locked(now)
            return version

    def _was_abandoned(self, found: Version, owner: LeaseOwner) -> bool:
        """Return True if the lease of an owner on another machine has expired, False if it was released.

        Raises:
            WorkspaceLocked: it has not expired.
        """
        if owner.process.state() == "alive":
            raise locked(self._url, owner)
        idle_s = time.time() - owner.renewed
        watch_s = _WATCH_S * owner.lease_s / _LEASE_S
        if 0 <= idle_s < owner.lease_s - watch_s:
            raise locked(self._url, owner, _when_free(idle_s, owner.lease_s - idle_s))
        started_s = elapsed_s()
        # A time in the future says nothing about the last renewal.
        while elapsed_s() - started_s < (watch_s if idle_s >= 0 else owner.lease_s):
            time.sleep(_LOOK_S)
            now = self._lock.read()
            if now is None:
                return False
            if now.data != found.data:
                raise self._locked(now)
        return True

    def _locked(self, found: Version | None) -> WorkspaceLocked:
        if found is None:
            return locked(self._url, None)
        owner = self._owner_of(found)
        if owner.process.state() == "unknown":
            return locked(self._url, owner, _when_free(0.0, owner.lease_s))
        return locked(self._url, owner)

    def _owner_of(self, found: Version) -> LeaseOwner:
        try:
            return LeaseOwner.from_json(found.data)
        except ValueError:
            raise StorageError(
                f"{self._path} is no lock of a build: remove it if no build runs there, then run the same command again"
            ) from None

    def _ours(self) -> bytes:
        return LeaseOwner.this_process(self._token).to_json()

    # Renewing.

    def _renew_until_done(self, version: Version) -> None:
        """Renew the lease until the end of the block, then release it."""
        while not self._done.wait(_RENEW_S):
            if self._lost is None:
                version = self._renew(version)
        with contextlib.suppress(Exception):  # then it expires by itself
            found = self._lock.read()
            if found is not None and LeaseOwner.from_json(found.data).token == self._token:
                self._lock.remove()

    def _renew(self, version: Version) -> Version:
        started_s = elapsed_s()
        try:
            changed = self._lock.change(self._ours(), version)
            if changed is None:
                found = self._lock.read()
                change = "was removed" if found is None else f"was taken over by {self._owner_of(found)}"
                self._lose(f"the lock of workspace {self._url} {change} while this build could not renew it")
                return version
        except Exception as error:  # noqa: BLE001 - any passing error of the store: a lease outlasts several renewals
            self._failure = f" ({' '.join(str(error).split()) or type(error).__name__})"
            return version
        self._renewed_at, self._failure = started_s, ""
        return changed

    def _watch(self) -> None:
        """Notice an expired lease, also while a renewal hangs."""
        while not self._done.wait(_LOOK_S) and self._lost is None:
            if elapsed_s() - self._renewed_at > _GIVE_UP_S:
                self._lose(self._overdue())

    def _overdue(self) -> str:
        return f"the lock of workspace {self._url} could not be renewed for {_GIVE_UP_S:.0f} s{self._failure}"

    def _lose(self, why: str, *, interrupt: bool = True) -> None:
        with self._loss_lock:
            if self._lost is not None:
                return
            self._lost = f"{why}: another build may write there, so this one has stopped; run the same command again"
        if interrupt and self._interrupts and callable(signal.getsignal(signal.SIGINT)) and not self._done.is_set():
            interrupt_main(LeaseLost(self._lost))


def _is_gone(owner: LeaseOwner) -> bool:
    if owner.process == Process.this():
        return owner.token not in _in_use
    return owner.process.state() == "gone"


def _when_free(idle_s: float, left_s: float) -> str:
    at = time.strftime("%H:%M:%S", time.localtime(time.time() + left_s))
    return (
        f"it showed a sign of life {idle_s:.0f} s ago; wait for it to end, or stop it; if it is dead, the workspace is free "
        f"in {left_s:.0f} s (at {at})"
    )
