"""What was there and is gone is said: by every command that would begin it anew, until the user says so."""

import pytest
from typer.testing import CliRunner

from annotate.models.ledger.ledger import Ledger
from annotate.people.store.vote_store import Store
from contracts.errors import DamagedState, OtherDatabase, SetupError
from flows.entry.cli import app
from flows.entry.reannotation import requested_judge, require
from flows.listening.secret import secret_of
from flows.listening.store import known_store, note_answers, open_store
from flows.recipe.listening_checks import terms_of
from flows.run.known import known_of
from flows.run.pipeline import open_build
from flows.run.questions import known_ledger, ledger_place, lost_ledger, open_ledger
from flows.views.status import status_of
from tests.annotate.ledgers import query
from tests.annotate.test_database_identity import bought
from tests.flows.recipe.test_load import changed


@pytest.fixture
def build(tmp_path, monkeypatch):
    """A build whose judge costs money and that asks people; nothing is in its workspace."""
    for name in ("UNISRM_LISTENING_SECRET", "UNISRM_LEDGER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("UNISRM_WORKSPACES", str(tmp_path / "workspaces"))
    monkeypatch.setenv("GEMINI_API_KEY", "canary")
    said = {"protocol": "unisrm", "of": "pairs", "languages": {"en": "proficient", "zh": "native"}}
    judge = {"name": "gemini", "task": "task1"}
    return open_build(
        changed(
            tmp_path,
            lambda recipe: recipe.update(
                listening=said, judge=judge, judges=[], budget_usd=1, filters=[{"name": "human_verification"}]
            ),
        )
    )


def call(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=False)


def recipe_of(build):
    return build.workspace.local_path("x").parents[2] / "r.yaml"


def tables_in(place):
    return query(str(place), "SELECT name FROM sqlite_master") if place.exists() else None


@pytest.mark.parametrize("how", ["deleted", "emptied", "replaced"])
def test_a_ledger_that_is_gone(build, tmp_path, how):
    """Nothing opens it, status says what was there, and after one word a new one is begun."""
    open_ledger(build, paying=True).close()
    place = build.workspace.local_path("ledger.sqlite")
    place.unlink()
    if how == "emptied":
        place.touch()
    elif how == "replaced":
        Ledger(place).close()
    before = tables_in(place)
    for opening in (lambda: open_ledger(build, paying=True), lambda: known_ledger(build)):
        with pytest.raises(OtherDatabase, match=r"but this workspace has used one at .* accept RECIPE ledger"):
            opening()
    assert tables_in(place) == before, "nothing was begun"
    assert isinstance(lost_ledger(build), OtherDatabase)
    (row,) = [row for row in status_of(build.as_read_only()) if row["stage"] == "ledger"]
    assert "this workspace has used one at" in row["state"]
    outcome = call("accept", recipe_of(build), "ledger")
    assert "is expected no more" in outcome.stdout
    with open_ledger(build, paying=True) as ledger:
        assert known_of(build, "ledger").identity == ledger.identity
    assert lost_ledger(build) is None


def test_a_ledger_may_move(build, tmp_path, monkeypatch):
    """The same ledger at another place is the same; another one there takes a word."""
    open_ledger(build, paying=True).close()
    moved = tmp_path / "shared.sqlite"
    build.workspace.local_path("ledger.sqlite").rename(moved)
    monkeypatch.setenv("UNISRM_LEDGER", str(moved))
    with open_ledger(build, paying=True) as ledger:
        assert ledger.where == ledger_place(build) == str(moved)
    monkeypatch.setenv("UNISRM_LEDGER", str(tmp_path / "another.sqlite"))
    with pytest.raises(OtherDatabase, match=r"another\.sqlite is not there"):
        open_ledger(build, paying=True)


def test_a_workspace_from_before(build):
    """A ledger that nobody noted is noted at the first look that is no mere look, if anything is in it; an empty one is not."""
    place = build.workspace.local_path("ledger.sqlite")
    place.parent.mkdir(parents=True)
    Ledger(place).close()
    assert lost_ledger(build) is None
    assert known_of(build, "ledger") is None, "nothing was bought: a rule judges"
    bought(place, "a")
    status_of(build.as_read_only())
    assert known_of(build, "ledger") is None, "a look leaves nothing behind"
    assert lost_ledger(build) is None
    assert known_of(build, "ledger").held["replies"] == 1
    place.unlink()
    assert isinstance(lost_ledger(build), OtherDatabase)


def test_a_reannotation_is_refused_before_it_begins(build, monkeypatch):
    """It would buy: the ledger is looked for first."""
    open_ledger(build, paying=True).close()
    build.workspace.local_path("ledger.sqlite").unlink()
    monkeypatch.setattr("storage.tables.TableStore.num_rows", lambda *_: 1)
    with pytest.raises(OtherDatabase):
        require(build, requested_judge(build, None, None, None, None))


def test_votes_that_are_gone(build):
    """Serving, inviting and collecting all open the store; none begins a new one in silence."""
    with open_store(build) as store:
        store.invite("Ann", {"en": "native"})
        note_answers(build, store)
    place = build.workspace.local_path("listening.sqlite")
    whole = place.read_bytes()
    for data in (None, b""):
        place.unlink(missing_ok=True)
        if data is not None:
            place.write_bytes(data)
        for opening in (lambda: open_store(build), lambda: known_store(build)):
            with pytest.raises(OtherDatabase, match=r"\(0 answers, 1 people\).*accept RECIPE listening"):
                opening()
        with pytest.raises(OtherDatabase):
            call("annotate", "invite", recipe_of(build), "Ben", "--level", "en=native")
    place.unlink()
    with Store(place, terms_of(build.recipe)):
        pass
    with pytest.raises(OtherDatabase, match="is another one"):
        open_store(build)
    place.write_bytes(whole)
    open_store(build).close()


def test_the_key_of_the_links(build, monkeypatch):
    """A key that is gone, other or no key is said, as all links sent so far would be void."""
    secret = secret_of(build)
    place = build.workspace.local_path("listening.secret")
    for data in (b"", b"short", b"\xff" * 40, b"\0" * 40):
        place.write_bytes(data)
        with pytest.raises(DamagedState, match="holds no key"):
            secret_of(build)
    place.write_text(secret[::-1])
    with pytest.raises(OtherDatabase, match=r"key of the listening test .* is another one"):
        secret_of(build)
    place.unlink()
    with pytest.raises(OtherDatabase, match="accept RECIPE secret"):
        secret_of(build)
    call("accept", recipe_of(build), "secret")
    assert secret_of(build) != secret
    monkeypatch.setenv("UNISRM_LISTENING_SECRET", "short")
    with pytest.raises(SetupError, match="needs at least 16 characters"):
        secret_of(build)


def test_a_damaged_note(build):
    """It is an error that names the file, and the same word mends it."""
    open_ledger(build, paying=True).close()
    build.workspace.local_path("known/ledger.json").write_bytes(b"[]")
    with pytest.raises(DamagedState, match=r"known/ledger\.json is damaged"):
        open_ledger(build, paying=True)
    assert "none was remembered" in call("accept", recipe_of(build), "ledger").stdout
    open_ledger(build, paying=True).close()
