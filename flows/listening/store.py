"""The store of a build's listening test, and the votes that it still waits for."""

import datetime as dt
import os
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from annotate.people.store.store_records import ListeningProgress
from annotate.people.store.vote_store import Store
from contracts.errors import SetupError
from flows.listening.pay import is_spent, spent_line
from flows.recipe.listening_checks import require, terms_of
from flows.recipe.listening_section import Listening
from flows.run.known import is_there, remember, require_there
from flows.run.pipeline import Build, Waiting
from storage.local_files import storage_errors

VOTED = "votes@listening"
RATED = "ratings@listening"


def store_place(build: Build) -> str:
    """Return the store of a build: a file or a PostgreSQL URL, which may contain a password.

    Raises:
        RecipeError: the recipe has no listening test.
        SetupError: a variable that the recipe names is not set or holds no such URL, or there is no local folder for a file.
    """
    named = require(build.recipe).store
    if named is None:
        if not build.workspace.is_local:
            raise SetupError(
                f"workspace {build.workspace.url} is not on a local disk: set listening.store to a $VARIABLE that holds a "
                "postgresql:// URL"
            )
        return os.fspath(build.workspace.local_path("listening.sqlite"))
    place = os.path.expandvars(named)
    if not place.startswith("postgresql://"):
        raise SetupError(f"listening.store: {named} must hold a postgresql:// URL: set the variable")
    return place


def open_store(build: Build, *, secret: str = "") -> Store:
    """Open the store of a build, or start its first one.

    Args:
        build: the build.
        secret: key of the random draws; needed to hand out items.

    Raises:
        OtherDatabase: the one that the workspace used is gone, or another or an older one stands in its place.
        StorageError: it cannot be opened, or is the test of something else.
    """
    place = store_place(build)
    known = require_there(build, "listening", place)
    if "://" not in place:
        with storage_errors(f"listening test {place}"):
            Path(place).parent.mkdir(parents=True, exist_ok=True)
    store = Store(place, replace(terms_of(build.recipe), secret=secret), known=known)
    if known is None:
        try:
            remember(build, "listening", store.identity, store.where)
        except BaseException:
            store.close()
            raise
    return store


def note_answers(build: Build, store: Store) -> None:
    """Remember how much the store holds now, so that an older copy of it is noticed."""
    remember(build, "listening", store.identity, store.where, store.counts())


def known_store(build: Build) -> Store | None:
    """Open the store of a build if there is one; never create it."""
    if build.recipe.listening is None:
        return None
    return open_store(build) if is_there(build, "listening", store_place(build)) else None


def version(build: Build) -> str | None:
    """Return a text that changes with the votes; None while there is no store."""
    known = known_store(build)
    if known is None:
        return None
    with known as store:
        return store.version()


def missed_deadline(build: Build) -> str | None:
    """Return a warning if the deadline passed before the test was opened; None = it did not."""
    section = build.recipe.listening
    if section is None or section.deadline is None or not section.is_over(dt.datetime.now(dt.UTC)):
        return None
    if is_there(build, "listening", store_place(build)):
        return None
    return (
        f"listening.deadline: {section.deadline.isoformat()} has passed, and nobody was asked yet: no vote will be waited for"
    )


def _progress(build: Build) -> ListeningProgress | None:
    known = known_store(build)
    if known is None:
        return None
    with known as store:
        return store.progress()


def _is_over(build: Build, progress: ListeningProgress) -> bool:
    return progress.closed or require(build.recipe).is_over(dt.datetime.now(dt.UTC))


def goes_on_without_votes(build: Build) -> bool:
    """Tell whether the build goes on without the missing votes, because the test is closed or by the recipe."""
    progress = _progress(build)
    return progress is not None and progress.waiting > 0 and _is_over(build, progress)


def waiting_for(build: Build) -> Waiting | None:
    """Return which votes are missing; None if there are all, if no more will come, or before the test is opened."""
    progress = _progress(build)
    if progress is None or not progress.waiting or _is_over(build, progress):
        return None
    section: Listening = require(build.recipe)
    advice = (
        "serve the test with `unisrm-data annotate serve`, invite people with `unisrm-data annotate invite` or bring votes "
        "in with `unisrm-data annotate import`; then build again, or let the deployment collect-votes do it; if no "
        "more will come, `unisrm-data annotate close`"
    )
    return Waiting(
        stage=section.stage,
        what="ratings" if section.rated() else "votes",
        there=progress.votes,
        wanted=progress.wanted,
        advice=spent_line(section, progress) if is_spent(section, progress) else advice,
    )


def all_votes(build: Build) -> pa.Table:
    """Return all votes that may decide about pairs before the splits, discarded ones included.

    Votes that verify splits are not among them: they come after the filters, which must not use them.
    """
    votes = build.tables.read("votes")
    return pa.concat_tables([votes, build.tables.read(VOTED)]) if takes_votes(build) else votes


def takes_votes(build: Build) -> bool:
    """Tell whether the listening test is about all pairs, so that its votes come before the filters."""
    return build.recipe.listening is not None and build.recipe.listening.of == "pairs"
