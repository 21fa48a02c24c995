"""The ledger: a durable record of every request to a judge and of every reply, so that no reply is paid for twice.

A ledger is a SQLite file or a PostgreSQL database, which several processes may share. A request is *reserved*, *sent* (recorded
before it leaves this process), and then *replied* or *failed*. A reply is durable before anyone sees it, and before it is
parsed: a reply that no parser can read has been paid for, is kept, and can be read again by a better parser at no cost.

Cost is booked when it may be owed. Each attempt books its highest price while it is open; the answer replaces it by its own
price; an attempt that a crash cut off stays booked at its highest price. So ``spend`` never understates the bill. The budget is
checked in the same transaction, and holds for all processes of an account together.
"""

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Self

from sqlalchemy import Connection

from annotate.database import Database, DatabaseFailed
from annotate.database_identity import Known
from annotate.models.ledger import accounts, batch_records, column_values, reply_audio, totals
from annotate.models.ledger.column_values import utc_now
from annotate.models.ledger.entries import Batch, Entry, Spend
from annotate.models.ledger.ledger_identity import identity_of, require_known
from annotate.models.ledger.ledger_tables import OPEN_STATES, adopt_unnamed, prepare
from annotate.models.ledger.owners import OtherOwners, Owner
from annotate.models.request import Answer, Reply
from contracts.errors import StorageError


class Ledger:
    """An open ledger. Use it as a context manager, from one thread.

    Attributes:
        where: path or URL, without its password.
        account: the account that pays.
        identity: random text that no other ledger has.
    """

    def __init__(self, where: str | os.PathLike[str], *, account: str = "", known: Known | None = None) -> None:
        """Open the ledger, or start a new one.

        Args:
            where: path of a SQLite file, or ``postgresql://...``.
            account: the account that pays: the recipe's name. Requests without an account go to the first named one.
            known: the ledger that it has to be; None = any, or a new one.

        Raises:
            OtherDatabase: it is not the known ledger, or holds less.
            StorageError: it cannot be opened or written, is no ledger, or was written by a newer version of this software.
        """
        self.account = account
        self._database = Database(where)
        self.where = self._database.where
        self._owner, self._other_owners = Owner.register(), OtherOwners(self._database)
        self._in_database = False  # whether the database knows the owner
        self._claimed: set[str] = set()  # keys that this owner claimed and has not answered
        self._sent: set[str] = set()  # those of them with an attempt that may still be answered
        try:
            if known is not None:
                require_known(self._database, known)
            prepare(self._database)
            self.identity = identity_of(self._database)
            if account:
                adopt_unnamed(self._database, account)
        except BaseException:
            self._owner.unregister()
            self._database.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let others claim requests without an answer, and close the connection."""
        # If the database fails, this process knows from memory that the owner is gone, and others once this process has ended.
        self._owner.unregister()
        if self._in_database:
            with contextlib.suppress(DatabaseFailed), self._database.writing() as connection:
                self._owner.sign_off(connection)
        self._database.close()

    def together(self) -> contextlib.AbstractContextManager[object]:
        """Do everything inside in one transaction: all of it or, after any exception, nothing."""
        return self._writing()

    def savepoint(self) -> contextlib.AbstractContextManager[object]:
        """Do a part of ``together`` that is undone alone if it raises; see ``Database.savepoint``."""
        return self._database.savepoint()

    def extend_lease(self) -> None:
        """Extend the owner's lease: processes on other machines take over its requests a minute after the last extension."""
        with self._writing():
            pass

    def replies(self, keys: Sequence[str]) -> dict[str, Reply]:
        """Return key -> reply of those ``keys`` that have a reply."""
        with self._database.reading() as connection:
            return accounts.replies(connection, keys)

    def audio(self, key: str) -> bytes | None:
        """Return the audio of a speech service's reply, as it came; None = it has none, or was damaged."""
        with self._database.reading() as connection:
            return reply_audio.load(connection, key)

    def claim(self, entries: Sequence[Entry]) -> list[str]:
        """Claim requests, so that no other owner sends them.

        Returns:
            The keys that this call claimed, in the order given. The others are replied, in an open batch, or claimed by an
            owner that is alive (which may be this one). A failed request, and one whose owner died, can be claimed.
        """
        with self._writing() as connection:
            alive, token = self._other_owners.alive_tokens(connection), self._owner.token
            claimed = accounts.claim(connection, entries, alive=alive, token=token, account=self.account, now=utc_now())
            self._database.once_durable(lambda: self._claimed.update(claimed))
        return claimed

    def release(self, keys: Sequence[str]) -> None:
        """Let others claim requests of this owner that were not sent; those that were sent stay claimed."""
        with self._writing() as connection:
            rows = accounts.load(connection, keys)
            unsent = [row for row in rows.values() if row.open_for(self._owner.token) and row.state == "reserved"]
            accounts.store(connection, rows, [replace(row, owner=None) for row in unsent])
            # A request claimed again while an earlier attempt is under way may yet get that attempt's reply.
            self._database.once_durable(lambda: self._claimed.difference_update({row.key for row in unsent} - self._sent))

    def mark_sent(self, sends: Sequence[tuple[str, float]], budget_usd: float | None) -> list[str]:
        """Record that one attempt of each request is about to be sent, and book its highest price.

        Args:
            sends: keys and the highest prices of the attempts.
            budget_usd: what the account may owe after it; None = nothing that costs is allowed.

        Returns:
            The keys that the budget does not allow; these are not marked, and must not be sent.

        Raises:
            BudgetExceeded: something costs, and there is no budget.
            StorageError: one of the requests is not claimed by this owner (any more); none is marked.
        """
        with self._writing() as connection:
            before, after, unpaid = self._affordable(connection, sends, budget_usd)
            accounts.store(connection, before, after)
            self._database.once_durable(lambda: self._sent.update({key for key, _ in sends} - set(unpaid)))
        return unpaid

    def commit(self, answers: Sequence[Answer]) -> None:
        """Make answers durable, in one transaction: when it returns they survive a power cut.

        A reply is kept even if another process has taken the request over because this owner seemed dead, as long as that
        process has no reply yet.

        Raises:
            StorageError: the disk refuses, or one of the requests is not this owner's to answer; none is committed.
        """
        with self._writing() as connection:
            not_ours = accounts.settle(
                connection, answers, token=self._owner.token, account=self.account, held=self._claimed, now=utc_now()
            )
            self._require_none(not_ours, len(answers))
            self._database.once_durable(lambda: self._forget(key for key, _ in answers))

    def held(self) -> dict[str, int]:
        """Return totals of all accounts, in numbers that only grow: replies, and picodollars spent."""
        with self._database.reading() as connection:
            return totals.held(connection)

    def owed_usd(self) -> float:
        """Return what the account owes: what was spent, and the highest prices of all attempts without an answer."""
        with self._database.reading() as connection:
            return column_values.to_usd(accounts.owed(connection, self.account))

    def history(self, row_id: str) -> list[dict[str, Any]]:
        """Return the records of the requests that were first sent for one row, in order; money in dollars."""
        with self._database.reading() as connection:
            return accounts.history(connection, row_id)

    def spend(self) -> list[Spend]:
        """Return what the account owes and what it got, by task, judge and model; open attempts at their highest price."""
        with self._database.reading() as connection:
            return totals.spend(connection, self.account)

    def record_batch(
        self, name: str, judge: str, model: str, sends: Sequence[tuple[str, float]], budget_usd: float | None
    ) -> list[str]:
        """Record that requests are about to be sent in a batch, under a name that finds it after a crash.

        Args:
            name: the batch's name, used for no other.
            judge: judge plug-in.
            model: the model requested.
            sends: keys and their highest prices in the batch.
            budget_usd: see ``mark_sent``.

        Returns:
            The keys that the budget does not allow; if there are any, nothing is recorded.

        Raises:
            BudgetExceeded: something costs, and there is no budget.
            StorageError: the name is taken, or one of the requests is not claimed by this owner or was sent already.
        """
        with self._writing() as connection:
            before, after, unpaid = self._affordable(connection, sends, budget_usd, batch=name)
            if not unpaid:
                batch = Batch(name=name, batch_id=None, judge=judge, model=model, state="intended", size=len(sends))
                if not batch_records.add(connection, batch, account=self.account, owner=self._owner.token, now=utc_now()):
                    raise StorageError(f"ledger {self.where}: there is a batch named {name} already: name this one otherwise")
                accounts.store(connection, before, after)
        return unpaid

    def record_batch_id(self, name: str, batch_id: str) -> None:
        """Record the provider's id of an open batch.

        Raises:
            StorageError: it is no open batch of this owner.
        """
        with self._writing() as connection:
            self._require_batch(connection, name)
            batch_records.set_batch_id(connection, name, batch_id)

    def close_batch(self, name: str, *, lost: bool) -> None:
        """Close a batch: its requests without an answer can be claimed again.

        Args:
            name: the batch's name.
            lost: whether they may have been billed; then their highest prices stay booked, otherwise they are released.

        Raises:
            StorageError: it is no open batch of this owner.
        """
        with self._writing() as connection:
            self._require_batch(connection, name)
            keys = batch_records.unanswered(connection, name)
            batch_records.close(connection, name, lost=lost)
            self._database.once_durable(lambda: self._forget(keys))

    def open_batches(self, judge: str, model: str, *, wanted: Sequence[str] = ()) -> list[Batch]:
        """Return this owner's open batches to one model, after adopting those of dead owners; oldest first.

        A dead owner's batch is adopted if this account pays for it, or if one of the keys ``wanted`` waits for its answer. The
        account that pays for it stays the same.
        """
        with self._writing() as connection:
            token, account = self._owner.token, self.account
            others = self._other_owners.alive_tokens(connection) - {token}
            found = batch_records.adopt(connection, judge, model, wanted, account=account, owner=token, others=others)
            keys = [key for batch in found for key in batch_records.unanswered(connection, batch.name)]
            self._database.once_durable(lambda: self._claimed.update(keys))
        return found

    def batch_keys(self, name: str) -> list[str]:
        """Return the requests of an open batch that have no answer yet."""
        return list(self.batch_prices(name))

    def batch_prices(self, name: str) -> dict[str, float]:
        """Return the same requests with the highest price that is booked for each, in dollars."""
        with self._database.reading() as connection:
            return {key: column_values.to_usd(picousd) for key, picousd in batch_records.open_prices(connection, name)}

    def _affordable(
        self, connection: Connection, sends: Sequence[tuple[str, float]], budget_usd: float | None, *, batch: str | None = None
    ) -> tuple[dict[str, accounts.RequestRow], list[accounts.RequestRow], list[str]]:
        """Return the rows before, the rows that the budget allows as they are after, and the keys of the others."""
        before = accounts.load(connection, [key for key, _ in sends])
        states, token = OPEN_STATES if batch is None else ("reserved",), self._owner.token
        ours = {row.key for row in before.values() if row.open_for(token) and row.batch is None and row.state in states}
        self._require_none([key for key, _ in sends if key not in ours], len(sends))
        owed = accounts.owed(connection, self.account)
        return before, *accounts.affordable(before, sends, owed=owed, budget_usd=budget_usd, batch=batch)

    def _forget(self, keys: Iterable[str]) -> None:
        """Forget requests that are answered."""
        done = set(keys)
        self._claimed -= done
        self._sent -= done

    def _require_none(self, not_ours: Sequence[str], count: int) -> None:
        if not_ours:
            raise StorageError(
                f"ledger {self.where}: {len(not_ours)} of {count} requests ({', '.join(not_ours[:3])}) are not "
                "reserved by this process or already answered; another one may have taken them over: run the same command again"
            )

    def _require_batch(self, connection: Connection, name: str) -> None:
        if not batch_records.is_open(connection, name, self._owner.token):
            raise StorageError(f"ledger {self.where}: {name} is no open batch of this process: run the same command again")

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Connection]:
        nested = self._database.in_transaction
        with self._database.writing() as connection:
            if not nested:
                self._owner.extend_lease(self._database, connection)
                self._in_database = True
            yield connection
