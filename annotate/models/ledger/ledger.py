"""The ledger: a durable record of every request to a judge and of every reply, so that nothing is paid for twice.

A SQLite file or a PostgreSQL database, which several processes may share. A request is *reserved*, *sent* (recorded before it
leaves this process), and then *replied* or *failed*. A reply is on the disk before anyone sees it, and before it is parsed: one
that no parser can read has been paid for, is kept, and can be read again by a better parser for nothing.

Money is booked when it may be owed: each attempt books its highest price while it is open; the answer replaces it by the
price of what came back; an attempt that a crash cut off stays booked at its highest price. So ``spend`` never understates
the bill, and the budget, checked in the same transaction, holds for all processes of an account together.
"""

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final, Self

from sqlalchemy import Connection, bindparam, delete, select, update

from annotate.database import Database
from annotate.database import DatabaseFailed as LedgerFailed
from annotate.database_identity import Known, make_identity, read_identity, require_no_less, require_same
from annotate.models.judge import Answer, Reply
from annotate.models.ledger import accounts, batch_records, column_values, ledger_tables
from annotate.models.ledger.column_values import REPLY_COLUMNS
from annotate.models.ledger.entries import Batch, Entry, Spend
from annotate.models.ledger.ledger_tables import OPEN_STATES, adopt_unnamed, owners, prepare, requests
from annotate.models.ledger.owners import Others, Owner
from contracts.errors import StorageError

__all__ = ["Batch", "Entry", "Ledger", "LedgerFailed", "Spend"]

_REPLIES: Final = select(*(requests.c[name] for name in ("key", *REPLY_COLUMNS))).where(
    requests.c.state == "replied", requests.c.key.in_(bindparam("keys", expanding=True))
)


class Ledger:
    """An open ledger. Use it as a context manager, from one thread.

    Attributes:
        where: path or URL, without its password.
        account: who pays.
        identity: random text that tells it from every other ledger.
    """

    def __init__(self, where: str | os.PathLike[str], *, account: str = "", known: Known | None = None) -> None:
        """Open the ledger, or start a new one.

        Args:
            where: path of a SQLite file, or ``postgresql://...``.
            account: who pays: the recipe's name. What no account was named for becomes the first named one's.
            known: the one that it has to be; None = any, or a new one.

        Raises:
            OtherDatabase: it is not the one that is known, or holds less.
            StorageError: it cannot be opened or written, is no ledger, or was written by a newer version of this software.
        """
        self.account = account
        self._database = Database(where)
        self.where = self._database.where
        self._owner, self._others = Owner.enter(), Others(self._database)
        self._entered = False
        self._held: set[str] = set()  # keys that were ours to ask and got no answer from us yet
        self._sent: set[str] = set()  # those of them of which an attempt of ours may still be answered
        try:
            if known is not None:
                self._require(known)
            prepare(self._database)
            self.identity = self._identity()
            if account:
                adopt_unnamed(self._database, account)
        except BaseException:
            self._owner.leave()
            self._database.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave what is not answered to others, and close the connection."""
        # Where the database fails, others of this process know it from memory, and other processes once this one is gone.
        self._owner.leave()
        with contextlib.suppress(LedgerFailed):
            if self._entered:
                with self._database.writing() as connection:
                    abandoned = (
                        requests.c.owner == self._owner.token,
                        requests.c.state.in_(OPEN_STATES),
                        requests.c.batch.is_(None),
                    )
                    connection.execute(update(requests).where(*abandoned).values(owner=None))
                    connection.execute(delete(owners).where(owners.c.token == self._owner.token))
        self._database.close()

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Make everything that is done inside one transaction: all of it or, after any exception, nothing."""
        with self._writing():
            yield

    def beat(self) -> None:
        """Tell the others that we are alive: on other machines, whoever does not for a minute loses its requests to them."""
        with self._writing():
            return

    def replies(self, keys: Sequence[str]) -> dict[str, Reply]:
        """Return key -> reply of those of ``keys`` that were replied."""
        with self._database.reading() as connection:
            found = (row for chunk in accounts.chunks(keys) for row in connection.execute(_REPLIES, {"keys": chunk}))
            return {row.key: column_values.reply(row._asdict()) for row in found}

    def claim(self, entries: Sequence[Entry]) -> list[str]:
        """Make requests ours, so that nobody else asks them.

        Returns:
            The keys that are ours now and were not before, in the order given. The others are replied, in an open batch, or
            being asked by somebody alive (which may be us). A failed one, and one whose owner died, can be claimed.
        """
        token = self._owner.token
        with self._writing() as connection:
            alive = self._others.living(connection)
            ours = accounts.take(connection, entries, alive=alive, token=token, account=self.account, now=_now())
            self._database.once_durable(lambda: self._held.update(ours))
        return ours

    def give_back(self, keys: Sequence[str]) -> None:
        """Let others claim requests of ours that were not sent; those that were stay ours."""
        with self._writing() as connection:
            rows = accounts.load(connection, keys)
            unsent = [row for row in rows.values() if row.open_for(self._owner.token) and row.state == "reserved"]
            accounts.store(connection, rows, [replace(row, owner=None) for row in unsent])
            # One that was claimed anew while an earlier attempt of ours is still under way may yet get that one's reply.
            self._database.once_durable(lambda: self._held.difference_update({row.key for row in unsent} - self._sent))

    def mark_sent(self, sends: Sequence[tuple[str, float]], budget_usd: float | None) -> list[str]:
        """Record that one attempt of each request is about to leave this process, and book its highest price.

        Args:
            sends: keys and the highest prices of the attempts.
            budget_usd: what the account may owe after it; None = nothing that costs is allowed.

        Returns:
            The keys for which there is no money; these are not marked, and must not be sent.

        Raises:
            BudgetExceeded: something costs, and there is no budget.
            StorageError: one of them is not ours to ask (any more); none is marked.
        """
        with self._writing() as connection:
            before, after, unpaid = self._leaving(connection, sends, budget_usd)
            accounts.store(connection, before, after)
            self._database.once_durable(lambda: self._sent.update({key for key, _ in sends} - set(unpaid)))
        return unpaid

    def commit(self, answers: Sequence[Answer]) -> None:
        """Make answers durable, in one transaction: when it returns they survive a power cut.

        A reply to a request that was ours is kept even if another process took us for dead and the request over, as long as
        that one has no reply yet.

        Raises:
            StorageError: the disk refuses, or one of them is not ours to answer; none is committed.
        """
        with self._writing() as connection:
            strangers = accounts.settle(
                connection, answers, token=self._owner.token, account=self.account, held=self._held, now=_now()
            )
            self._refuse(strangers, len(answers))
            self._database.once_durable(lambda: self._forget(key for key, _ in answers))

    def held(self) -> dict[str, int]:
        """Return how much there is for all accounts, in numbers that only grow: replies, and picodollars spent."""
        with self._database.reading() as connection:
            return accounts.held(connection)

    def owed_usd(self) -> float:
        """Return what our account owes: what was spent, and the highest prices of all attempts without an answer."""
        with self._database.reading() as connection:
            return column_values.to_usd(accounts.owed(connection, self.account))

    def story(self, row_id: str) -> list[dict[str, Any]]:
        """Return all that is known of what was first asked for one row, in the order of asking; money in dollars."""
        query = select(requests).where(requests.c.row_id == row_id).order_by(requests.c.repeat, requests.c.key)
        with self._database.reading() as connection:
            return [column_values.told(row._asdict()) for row in connection.execute(query)]

    def spend(self) -> list[Spend]:
        """Return what our account owes and what it got, by task, judge and model; open attempts at their highest price."""
        with self._database.reading() as connection:
            sums = accounts.summed(connection, self.account)
        return [
            Spend(
                task=task,
                judge=judge,
                model=model,
                replied=replied,
                failed=failed,
                input_tokens=input_tokens,
                output_tokens=output_tokens,
                cost_usd=column_values.to_usd(owed),
            )
            for (task, judge, model), (replied, failed, input_tokens, output_tokens, owed) in sorted(sums.items())
        ]

    def intend_batch(
        self, name: str, judge: str, model: str, sends: Sequence[tuple[str, float]], budget_usd: float | None
    ) -> list[str]:
        """Record that requests are about to leave together, under a name by which the batch can be found after a crash.

        Args:
            name: the batch's name, used for no other.
            judge: judge plug-in.
            model: model asked for.
            sends: keys and their highest prices in the batch.
            budget_usd: see ``mark_sent``.

        Returns:
            The keys for which there is no money; if there are any, nothing is recorded.

        Raises:
            BudgetExceeded: something costs, and there is no budget.
            StorageError: the name is taken, or one of the requests is not ours or was sent already.
        """
        with self._writing() as connection:
            before, after, unpaid = self._leaving(connection, sends, budget_usd, batch=name)
            if not unpaid:
                batch = Batch(name=name, batch_id=None, judge=judge, model=model, state="intended", size=len(sends))
                if not batch_records.enter(connection, batch, account=self.account, owner=self._owner.token, now=_now()):
                    raise StorageError(f"ledger {self.where}: there is a batch named {name} already: name this one otherwise")
                accounts.store(connection, before, after)
        return unpaid

    def submitted(self, name: str, batch_id: str) -> None:
        """Record the provider's id of a batch of ours.

        Raises:
            StorageError: it is no open batch of ours.
        """
        with self._writing() as connection:
            self._require_batch(connection, name)
            batch_records.submitted(connection, name, batch_id)

    def close_batch(self, name: str, *, lost: bool) -> None:
        """End a batch of ours: its requests without an answer can be claimed again.

        Args:
            name: the batch's name.
            lost: whether they may have been billed: then their highest prices stay booked, else they are released.

        Raises:
            StorageError: it is no open batch of ours.
        """
        with self._writing() as connection:
            self._require_batch(connection, name)
            keys = batch_records.unanswered(connection, name)
            batch_records.close(connection, name, lost=lost)
            self._database.once_durable(lambda: self._forget(keys))

    def open_batches(self, judge: str, model: str, *, wanted: Sequence[str] = ()) -> list[Batch]:
        """Return the open batches to one model that are ours, and those of the dead, which become ours; oldest first.

        A dead process's batch is adopted if our account pays for it, or if it owes an answer to one of the keys ``wanted``;
        who paid for it still does.
        """
        with self._writing() as connection:
            token, account = self._owner.token, self.account
            others = self._others.living(connection) - {token}
            found = batch_records.adopted(connection, judge, model, wanted, account=account, owner=token, others=others)
            keys = [key for batch in found for key in batch_records.unanswered(connection, batch.name)]
            self._database.once_durable(lambda: self._held.update(keys))
        return found

    def batch_keys(self, name: str) -> list[str]:
        """Return the requests of an open batch that have no answer yet."""
        with self._database.reading() as connection:
            return batch_records.unanswered(connection, name)

    def batch_prices(self, name: str) -> dict[str, float]:
        """Return the same requests with the highest price that is booked for each, in dollars."""
        with self._database.reading() as connection:
            return {key: column_values.to_usd(picousd) for key, picousd in batch_records.open_prices(connection, name)}

    def _leaving(
        self, connection: Connection, sends: Sequence[tuple[str, float]], budget_usd: float | None, *, batch: str | None = None
    ) -> tuple[dict[str, accounts.Row], list[accounts.Row], list[str]]:
        """Return the rows as they are, those that can be paid for as they will be, and the keys of the others."""
        before = accounts.load(connection, [key for key, _ in sends])
        states = OPEN_STATES if batch is None else ("reserved",)
        ours = {
            row.key for row in before.values() if row.open_for(self._owner.token) and row.batch is None and row.state in states
        }
        self._refuse([key for key, _ in sends if key not in ours], len(sends))
        owed = accounts.owed(connection, self.account)
        return before, *accounts.affordable(before, sends, owed=owed, budget_usd=budget_usd, batch=batch)

    def _require(self, known: Known) -> None:
        told = {"what": self._database.what, "name": "ledger", "where": self.where}
        with self._database.reading() as connection:
            require_same(known, read_identity(connection, ledger_tables.identity), **told)
            require_no_less(known, accounts.held(connection), **told)

    def _identity(self) -> str:
        with self._database.reading() as connection:
            found = read_identity(connection, ledger_tables.identity)
        if found is None:
            with self._database.writing() as connection:
                found = make_identity(connection, ledger_tables.identity)
        return found

    def _forget(self, keys: Iterable[str]) -> None:
        """Forget requests that are answered."""
        done = set(keys)
        self._held -= done
        self._sent -= done

    def _refuse(self, strangers: Sequence[str], count: int) -> None:
        if strangers:
            raise StorageError(
                f"ledger {self.where}: {len(strangers)} of {count} requests ({', '.join(strangers[:3])}) are not "
                "reserved by this process or already answered; another one may have taken them over: run the same command again"
            )

    def _require_batch(self, connection: Connection, name: str) -> None:
        if not batch_records.belongs(connection, name, self._owner.token):
            raise StorageError(f"ledger {self.where}: {name} is no open batch of this process: run the same command again")

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Connection]:
        nested = self._database.in_transaction
        with self._database.writing() as connection:
            if not nested:
                self._owner.beat(self._database, connection)
                self._entered = True
            yield connection


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
