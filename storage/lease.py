"""A lease on a workspace in an object store, where there are no locks: who holds it says so again and again.

Who holds it is written in one object. A process on this machine that is gone holds nothing. One elsewhere holds it until a
minute after its last sign of life. That is counted with care, as clocks differ and jump: the time in the object only says
when it is worth while to look, and the lease is taken over only if the object then does not change for longer than two
renewals are apart. A holder that could not renew stops before others may begin.
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
class Holder:
    """Who holds a workspace, as the lock says.

    Attributes:
        host: name of the machine, for people.
        process: the process.
        token: random, names this holding of the lease.
        renewed: last sign of life, seconds since 1970 by the holder's clock.
        lease_s: how long after it the lease is over.
    """

    host: str
    process: Process
    token: str
    renewed: float
    lease_s: float

    @classmethod
    def this_process(cls, token: str = "") -> Self:
        """Return this process, now."""
        return cls(
            host=socket.gethostname(), process=Process.this(), token=token, renewed=round(time.time(), 3), lease_s=_LEASE_S
        )

    @classmethod
    def read(cls, data: bytes) -> Self:
        """Return who wrote this.

        Raises:
            ValueError: nobody of us did.
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

    def written(self) -> bytes:
        """Return what the lock holds."""
        process = {"space": self.process.space, "pid": self.process.pid, "started": self.process.started}
        times = {"renewed": self.renewed, "lease_s": self.lease_s}
        return json.dumps({"host": self.host, **process, "token": self.token, **times}).encode()

    def __str__(self) -> str:
        return f"process {self.process.pid} on {self.host}"


def locked(url: str, holder: Holder | None, advice: str = "wait for it to end, or stop it") -> WorkspaceLocked:
    """Return the error of a workspace that somebody else holds."""
    who = "another process" if holder is None else str(holder)
    return WorkspaceLocked(f"workspace {url} is in use by {who}; {advice}, then run the same command again")


class Lease:
    """The lease on one workspace, to be held once."""

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
        self._losing = threading.Lock()
        self._done = threading.Event()
        self._interrupts = threading.current_thread() is threading.main_thread()

    @property
    def is_lost(self) -> bool:
        """Whether somebody else has or may have it."""
        return self._lost is not None

    def check(self) -> None:
        """Make sure that it is held.

        Raises:
            LeaseLost: it is not.
        """
        if self._lost is None and elapsed_s() - self._renewed_at > _GIVE_UP_S:
            self._lose(self._overdue(), interrupt=False)
        if self._lost is not None:
            raise LeaseLost(self._lost)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold it. If it gets lost, the main thread is interrupted where it is, and whatever ends the block is ``LeaseLost``.

        Raises:
            WorkspaceLocked: somebody else holds it.
            LeaseLost: it was lost meanwhile.
            StorageError: the lock is damaged.
            OSError: the store fails.
        """
        version = self._acquire()
        _in_use.add(self._token)
        keeper = threading.Thread(target=self._keep, args=(version,), name="lease", daemon=True)
        watcher = threading.Thread(target=self._watch, name="lease-watch", daemon=True)
        keeper.start()
        watcher.start()
        try:
            yield
            self.check()
        except BaseException as error:
            if self._lost is not None and not isinstance(error, LeaseLost):
                raise LeaseLost(self._lost) from error
            raise
        finally:
            self._end(watcher, keeper)

    def _end(self, *threads: threading.Thread) -> None:
        """Let go of it. A store that does not answer is not waited for: without this process the lease is over anyway."""
        self._done.set()
        _in_use.discard(self._token)
        try:
            for thread in threads:
                thread.join(_RELEASE_S)
        except KeyboardInterrupt:
            if not self.is_lost:  # else it is the interrupt of a lease that was lost in the last moment
                raise

    # Getting it.

    def _acquire(self) -> Version:
        while True:
            found = self._lock.read()
            if found is not None:
                holder = self._holder(found)
                if not _is_gone(holder) and not self._was_abandoned(found, holder):
                    continue  # it was released while we watched
            self._renewed_at = elapsed_s()
            version = self._lock.change(self._ours(), found) if found is not None else self._lock.create(self._ours())
            if version is None:
                raise self._locked(self._lock.read())
            if found is not None and version.tag is None:
                # Two may take over one lease at once where a write cannot be tied to what it replaces: the last one has it.
                time.sleep(_SETTLE_S)
                if (now := self._lock.read()) != version:
                    raise self._locked(now)
            return version

    def _was_abandoned(self, found: Version, holder: Holder) -> bool:
        """Return whether a lease that somebody elsewhere holds is over; False = it was released.

        Raises:
            WorkspaceLocked: it is not.
        """
        if holder.process.state() == "alive":
            raise locked(self._url, holder)
        idle_s = time.time() - holder.renewed
        watch_s = _WATCH_S * holder.lease_s / _LEASE_S
        if 0 <= idle_s < holder.lease_s - watch_s:
            raise locked(self._url, holder, _when_free(idle_s, holder.lease_s - idle_s))
        began = elapsed_s()
        # A lock from the future says nothing about when it was renewed.
        while elapsed_s() - began < (watch_s if idle_s >= 0 else holder.lease_s):
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
        holder = self._holder(found)
        if holder.process.state() == "unknown":
            return locked(self._url, holder, _when_free(0.0, holder.lease_s))
        return locked(self._url, holder)

    def _holder(self, found: Version) -> Holder:
        try:
            return Holder.read(found.data)
        except ValueError:
            raise StorageError(
                f"{self._path} is no lock of a build: remove it if no build runs there, then run the same command again"
            ) from None

    def _ours(self) -> bytes:
        return Holder.this_process(self._token).written()

    # Keeping it.

    def _keep(self, version: Version) -> None:
        """Renew it until the end, then release it."""
        while not self._done.wait(_RENEW_S):
            if self._lost is None:
                version = self._renewed(version)
        with contextlib.suppress(Exception):  # then it runs out by itself
            found = self._lock.read()
            if found is not None and Holder.read(found.data).token == self._token:
                self._lock.remove()

    def _renewed(self, version: Version) -> Version:
        began = elapsed_s()
        try:
            changed = self._lock.change(self._ours(), version)
            if changed is None:
                found = self._lock.read()
                thief = "was removed" if found is None else f"was taken over by {self._holder(found)}"
                self._lose(f"the lock of workspace {self._url} {thief} while this build could not renew it")
                return version
        except Exception as error:  # noqa: BLE001 - a passing trouble of the store, in whatever words: a lease lasts several renewals
            self._failure = f" ({' '.join(str(error).split()) or type(error).__name__})"
            return version
        self._renewed_at, self._failure = began, ""
        return changed

    def _watch(self) -> None:
        """Notice that it is over, also while a renewal hangs."""
        while not self._done.wait(_LOOK_S) and self._lost is None:
            if elapsed_s() - self._renewed_at > _GIVE_UP_S:
                self._lose(self._overdue())

    def _overdue(self) -> str:
        return f"the lock of workspace {self._url} could not be renewed for {_GIVE_UP_S:.0f} s{self._failure}"

    def _lose(self, why: str, *, interrupt: bool = True) -> None:
        with self._losing:
            if self._lost is not None:
                return
            self._lost = f"{why}: another build may write there, so this one has stopped; run the same command again"
        if interrupt and self._interrupts and callable(signal.getsignal(signal.SIGINT)) and not self._done.is_set():
            interrupt_main(LeaseLost(self._lost))


def _is_gone(holder: Holder) -> bool:
    if holder.process == Process.this():
        return holder.token not in _in_use
    return holder.process.state() == "gone"


def _when_free(idle_s: float, left_s: float) -> str:
    at = time.strftime("%H:%M:%S", time.localtime(time.time() + left_s))
    return (
        f"it showed a sign of life {idle_s:.0f} s ago; wait for it to end, or stop it; if it is dead, the workspace is free "
        f"in {left_s:.0f} s (at {at})"
    )
