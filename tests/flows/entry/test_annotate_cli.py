"""The command line of the listening test: keys, links, tasks out and votes in."""

import csv
import stat
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from annotate.people.exchange.vote_rows import ImportedVote, LocatedVote, vote_file
from annotate.people.store.item import Answer, Item, ItemClip
from annotate.people.web.tokens import Tokens
from contracts.errors import DataError, RecipeError, SetupError, StorageError
from flows.entry.annotate_cli import annotate
from flows.listening.secret import secret_of
from flows.listening.store import goes_on_without_votes, open_store, waiting_for
from flows.recipe.listening_section import Listening
from flows.run.pipeline import open_build
from flows.views.listeners_report import listening_rows
from tests.flows.recipe.test_load import changed

runner = CliRunner()


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.delenv("UNISRM_LISTENING_SECRET", raising=False)
    monkeypatch.setenv("UNISRM_WORKSPACES", str(tmp_path / "workspaces"))
    said = {"protocol": "unisrm", "of": "pairs", "languages": {"en": "proficient", "zh": "native"}}
    return changed(
        tmp_path, lambda recipe: (recipe.update(listening=said), recipe["filters"].append({"name": "human_verification"}))
    )


def call(*arguments):
    return runner.invoke(annotate, [*map(str, arguments)], catch_exceptions=False)


def test_the_key_is_made_once_and_readable_by_its_owner_only(path, monkeypatch):
    """Two looks give one key; a variable overrules the file; a bucket needs the variable."""
    build = open_build(path)
    secret = secret_of(build)
    assert len(secret) >= 32
    assert secret_of(build) == secret
    file = build.workspace.local_path("listening.secret")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert {entry.name for entry in file.parent.iterdir()} == {"listening.secret", "known"}, "no half-made one is left"
    bucket = open_build(path, "memory://bucket/keys")
    with pytest.raises(SetupError, match="set UNISRM_LISTENING_SECRET"):
        secret_of(bucket)
    monkeypatch.setenv("UNISRM_LISTENING_SECRET", "a long secret of this test")
    assert secret_of(build) == secret_of(bucket) == "a long secret of this test"


def test_an_invitation_is_a_link_to_a_pseudonym(path):
    """The link opens for the one invited, and holds neither name nor key; a language without a level is told of."""
    done = call("invite", path, "Canary Name", "--level", "en=native", "--base-url", "https://listen.example.org/")
    link = done.stdout.splitlines()[0]
    build = open_build(path)
    assert link.startswith("https://listen.example.org/i/")
    who = Tokens(secret_of(build)).read_invitation(link.rpartition("/")[2]).annotator_id
    with open_store(build) as store:
        assert store.annotator(who).levels == {"en": "native"}
    assert "Canary" not in link
    assert secret_of(build) not in done.output
    assert "no items in zh (native)" in done.stderr
    with pytest.raises(RecipeError, match="LANGUAGE=LEVEL"):
        call("invite", path, "X", "--level", "en=fluent")


def test_an_invitation_says_what_its_listener_cannot_do(path):
    """A level too low for any item, and gold in languages that are not understood, are told at once, not by an empty page."""
    spoken = {"zh": 6, "en": 2}
    with open_store(open_build(path)) as store:
        for language, count in spoken.items():
            store.add_items(gold_item(f"{language}{number}", language) for number in range(count))
    low = call("invite", path, "Ann", "--level", "en=basic")
    assert "no items in en (proficient), zh (native) for this listener" in low.stderr
    assert "it takes 5 gold items in no language and 0 are there" in low.stderr
    one = call("invite", path, "Bo", "--level", "en=native")
    assert "this listener cannot pass the qualification test yet: it takes 5 gold items in en and 2 are there" in one.stderr
    assert call("invite", path, "Li", "--level", "en=native", "--level", "zh=native").stderr == ""


def gold_item(name, language):
    clips = (ItemClip(audio_id=f"{name}a", duration_s=1.0), ItemClip(audio_id=f"{name}b", duration_s=1.0))
    return Item(item_id=name, subject_id=f"pair-{name}", language=language, text="x", clips=clips, gold=("A",))


def test_an_invitation_leads_to_where_the_test_was_last_served(path, monkeypatch):
    """Its address is kept with the test; a test whose qualification nobody can pass says so."""
    monkeypatch.setattr("annotate.people.web.serving.serve", lambda app, host, port, proxies: None)
    served = call("serve", path, "--port", "8123")
    assert "listening test at http://127.0.0.1:8123; admin: http://127.0.0.1:8123/admin/i/" in served.stdout
    assert "it takes 5 gold items and 0 are there" in served.stderr
    assert call("invite", path, "Ann", "--level", "en=native").stdout.startswith("http://127.0.0.1:8123/i/")
    assert call("invite", path, "Ann", "--level", "en=native", "--base-url", "http://a").stdout.startswith("http://a/i/")


def test_a_recipe_without_listeners_invites_nobody(tmp_path):
    """The message names what is lacking, and no store is begun."""
    with pytest.raises(RecipeError, match="no section listening"):
        call("invite", changed(tmp_path, lambda recipe: None), "X", "--level", "en=native", "--workspace", tmp_path / "ws")
    assert not (tmp_path / "ws").exists()


@pytest.fixture
def asking(path):
    """A test with three pairs in its store and in the tables."""
    import numpy as np
    import pyarrow as pa

    from contracts.schemas import PAIRS

    build = open_build(path)
    rng = np.random.default_rng(5)
    clips = [build.blobs.put((rng.normal(size=4000) * 2000).astype(np.int16), 16000) for _ in range(6)]
    pairs = [f"pair{number}" for number in range(3)]
    rows = [{name: pair if name == "pair_id" else "x" for name in PAIRS.names} for pair in pairs]
    build.tables.replace("pairs", pa.Table.from_pylist(rows, schema=PAIRS))
    with open_store(build) as store:
        store.add_items(
            Item(
                item_id=f"item-{pair}",
                subject_id=pair,
                language="en",
                text="some words",
                clips=tuple(ItemClip(audio_id=clip, duration_s=0.25) for clip in clips[2 * number : 2 * number + 2]),
            )
            for number, pair in enumerate(pairs)
        )
    return build


@pytest.mark.parametrize("kind", ["csv", "jsonl", "xlsx", "label-studio"])
def test_every_kind_of_tasks_is_written(path, asking, tmp_path, kind):
    """A file of tasks and the audio of all pairs; nothing in its name or text tells a system."""
    done = call("export", path, tmp_path / "out", "--to", kind)
    assert done.stdout.startswith("3 tasks: ")
    assert len(list((tmp_path / "out/audio").iterdir())) == 6


def test_exported_tasks_come_back_as_votes(path, asking, tmp_path):
    """Filled in by three people, imported twice: counted once, and nothing is left to export."""
    call("export", path, tmp_path / "out")
    file = tmp_path / "out/tasks.csv"
    with file.open(encoding="utf-8-sig", newline="") as opened:
        rows = list(csv.DictReader(opened))
    filled = [row | {"annotator": who, "value": "invalid"} for row in rows for who in ("Ada", "Ben", "Cleo")]
    with file.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.DictWriter(opened, list(rows[0]))
        writer.writeheader()
        writer.writerows(filled)
    assert "9 votes read, 9 of them new" in call("import", path, file).stdout
    again = call("import", path, file).stdout
    assert "9 votes read, 0 of them new" in again
    assert "9 of 9 are in" in again
    with open_store(asking) as store:
        votes = store.votes()
    assert votes.num_rows == 9
    assert not {"Ada", "Ben", "Cleo"} & set(votes["annotator_id"].to_pylist())
    with pytest.raises(RecipeError, match="nothing to export"):
        call("export", path, tmp_path / "more")
    with open_store(asking) as store:
        store.exclude(votes["annotator_id"][0].as_py(), "one_sided", {})
    assert "0 of them new, 0 places left empty, 3 do not count (one_sided 3)" in call("import", path, file).stdout
    row = next(row for row in listening_rows(asking) if row["stage"] == "listening votes that do not count")
    assert (row["in"], row["out"], row["dropped"]) == (3, 0, {"one_sided": 3})


def test_a_key_that_others_can_read_is_refused(path):
    """The message says what helps; a private one is taken again."""
    build = open_build(path)
    secret = secret_of(build)
    file = build.workspace.local_path("listening.secret")
    for mode in (0o644, 0o640, 0o620):
        file.chmod(mode)
        with pytest.raises(SetupError, match=r"chmod 600 .*listening\.secret"):
            secret_of(build)
    file.chmod(0o600)
    assert secret_of(build) == secret


def test_inviting_somebody_again_in_any_spelling_says_so(path):
    """One person, one link, under three spellings; the database is its owner's alone."""
    first = call("invite", path, "Ada", "--level", "en=native")
    assert "invited before" not in first.stderr
    build = open_build(path)
    for spelling in ("ada ", "\uff21da", "Ada"):
        again = call("invite", path, spelling, "--level", "en=native")
        assert "was invited before" in again.stderr
        assert ("as 'Ada'" in again.stderr) == (spelling != "Ada")
        who = {
            Tokens(secret_of(build)).read_invitation(one.stdout.split()[0].rpartition("/")[2]).annotator_id
            for one in (first, again)
        }
        assert len(who) == 1
    assert stat.S_IMODE(build.workspace.local_path("listening.sqlite").stat().st_mode) == 0o600


def test_links_are_revoked_by_name_and_admins_get_a_new_one(path):
    """Old links carry an older number than the store; whoever was never invited cannot be revoked."""
    with pytest.raises(RecipeError, match="no listening test yet"):
        call("revoke", path, "Ada")
    link = call("invite", path, "Ada", "--level", "en=native").stdout.split()[0]
    build, tokens = open_build(path), Tokens(secret_of(open_build(path)))
    old = tokens.read_invitation(link.rpartition("/")[2])
    done = call("revoke", path, "ada")
    assert "all links and sessions of 'Ada' have ended" in done.stdout
    with open_store(build) as store:
        assert store.annotator(old.annotator_id).revocation_count == old.revocation_count + 1
    new = tokens.read_invitation(call("invite", path, "Ada", "--level", "en=native").stdout.split()[0].rpartition("/")[2])
    assert (new.annotator_id, new.revocation_count) == (old.annotator_id, old.revocation_count + 1)
    admin = call("revoke", path, "--admin").stdout.strip()
    assert tokens.read_admin_invitation(admin.rpartition("/")[2]).revocation_count == 1
    with open_store(build) as store:
        assert store.revocation_count("admin") == 1
    with pytest.raises(DataError, match="nobody named 'Bob' was invited"):
        call("revoke", path, "Bob")
    for wrong in ([], ["Ada", "--admin"]):
        with pytest.raises(RecipeError, match="name the listener"):
            call("revoke", path, *wrong)


def test_the_server_draws_by_its_key_and_believes_the_proxies_it_is_told_of(path, monkeypatch):
    """An option before the setting; an address that is none is refused."""
    seen = []
    monkeypatch.setattr("annotate.people.web.serving.serve", lambda app, host, port, proxies: seen.append(proxies))
    drawn = []
    monkeypatch.setattr("annotate.people.web.app.make_app", lambda store, **more: drawn.append(store.settings.secret))
    call("serve", path)
    call("serve", path, "--proxy", "127.0.0.1", "--proxy", "10.1.0.0/16")
    monkeypatch.setenv("UNISRM_LISTENING_PROXY", "192.0.2.1, ::1")
    call("serve", path)
    assert seen == [[], ["127.0.0.1", "10.1.0.0/16"], ["192.0.2.1", "::1"]]
    assert set(drawn) == {secret_of(open_build(path))}
    with pytest.raises(RecipeError, match="--proxy 'nginx'"):
        call("serve", path, "--proxy", "nginx")


def test_a_test_that_gets_no_more_votes_is_closed(path, asking):
    """Nobody is asked then, votes that come are kept, and the build waits no more; reopened, it goes on as before."""
    assert str(waiting_for(asking)) == "waiting for votes: 0 of 9"
    done = call("close", path)
    assert done.stdout == "the test is closed: 0 of 9 votes are in, 3 of 3 items lack some\n"
    assert (waiting_for(asking), goes_on_without_votes(asking)) == (None, True)
    with open_store(asking) as store:
        version = store.version()
        ann = store.invite("Ann", {"en": "native", "zh": "native"}).annotator_id
        store.consent(ann)
        store.confirm_equipment(ann)
        call("close", path)
        assert store.version() == version, "closing twice changes nothing"
    assert next(row["state"] for row in listening_rows(asking) if row["stage"] == "listening votes") == "closed"
    assert "the test is open" in call("reopen", path).stdout
    assert (str(waiting_for(asking)), goes_on_without_votes(asking)) == ("waiting for votes: 0 of 9", False)


def test_a_recipe_may_go_on_without_votes(asking):
    """At once, or from a deadline on; a recipe that says neither waits, and is the one that it was before."""
    wish = asking.recipe.listening

    def waits(**said):
        section = Listening.model_validate(wish.model_dump() | said)
        return waiting_for(replace(asking, recipe=asking.recipe.model_copy(update={"listening": section}))) is not None

    assert waits()
    assert not waits(incomplete="drop")
    assert waits(incomplete="drop", deadline="2999-01-01")
    assert not waits(incomplete="drop", deadline="2020-01-01")
    assert not waits(incomplete="drop", deadline="2020-01-01T12:00:00+08:00")
    with pytest.raises(ValueError, match="deadline is for incomplete: drop"):
        waits(deadline="2020-01-01")
    assert not {"incomplete", "deadline"} & wish.model_dump().keys()


def test_labels_without_votes_verify_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("UNISRM_WORKSPACES", str(tmp_path / "workspaces"))
    said = {"protocol": "unisrm", "of": "splits"}
    path = changed(tmp_path, lambda recipe: recipe.update(listening=said))
    (tmp_path / "map.yaml").write_text("subject: pair\nanswers: {value: label}\nannotators: aggregated\n")
    with pytest.raises(RecipeError, match="verifies nothing"):
        call("import", path, tmp_path / "v.csv", "--mapping", tmp_path / "map.yaml")


@pytest.fixture
def take(path, asking, tmp_path):
    """Import rows of (pair, vote) under a file name."""
    (tmp_path / "map.yaml").write_text("subject: pair\nanswers: {value: vote}\nannotators: unnamed\n")

    def run(name, *rows):
        (tmp_path / name).write_text("pair,vote\n" + "".join(f"{pair},{vote}\n" for pair, vote in rows))
        return call("import", path, tmp_path / name, "--mapping", tmp_path / "map.yaml")

    return run


def test_files_of_people_whom_nobody_names_add_up(take, asking):
    """Each file is of other people; the same one again, under another name too, changes nothing."""
    first = [("pair0", "A"), ("pair0", "A"), ("pair0", "B")]
    assert "3 votes read, 3 of them new" in take("u1.csv", *first).stdout
    assert "2 votes read, 2 of them new" in take("u3.csv", ("pair0", "A"), ("pair1", "A")).stdout
    assert "2 votes read, 2 of them new" in take("u2.csv", ("pair0", "B"), ("pair0", "A")).stdout
    assert "3 votes read, 0 of them new" in take("u1.csv", *first[::-1]).stdout
    copy = take("copy.csv", *first)
    assert "0 of them new" in copy.stdout
    assert "the very votes of u1.csv" in copy.stderr
    with open_store(asking) as store:
        assert store.votes().num_rows == 7


def test_a_file_of_unnamed_votes_that_has_grown_is_refused(take, asking):
    """Nobody can tell what it had before; votes under ids of before are known by what they say."""
    with open_store(asking) as store:
        old = [("pair0", "A", "one"), ("pair1", "B", "two")]
        table = vote_file(
            [LocatedVote(vote=ImportedVote(subject_id=pair, annotator_id=who, answer=Answer(value=vote)), row=2) for pair, vote, who in old],
            store.settings.protocol, "unisrm", "import:u.csv", unanswered=0, repeated=0,
        ).table  # fmt: skip
        assert store.import_votes(table) == 2
    assert "0 of them new" in take("u.csv", ("pair1", "B"), ("pair0", "A")).stdout
    with pytest.raises(DataError, match=r"u\.csv: 2 votes of a file of this name are here, and it has other votes now"):
        take("u.csv", ("pair0", "A"), ("pair1", "B"), ("pair2", "B"))


def test_a_vote_against_one_of_an_earlier_file_is_told_as_the_files_have_it(path, asking, tmp_path):
    (tmp_path / "map.yaml").write_text("subject: pair\nannotator: who\nanswers: {value: vote}\n")
    for name, vote in (("v1.csv", "A"), ("v2.csv", "B")):
        (tmp_path / name).write_text(f"pair,who,vote\npair1,Bo,A\npair0,Ann,{vote}\n")
    call("import", path, tmp_path / "v1.csv", "--mapping", tmp_path / "map.yaml")
    message = r"v2\.csv: row 3, annotator 'Ann' has voted otherwise on pair0 before, in import:v1\.csv"
    with pytest.raises(DataError, match=message):
        call("import", path, tmp_path / "v2.csv", "--mapping", tmp_path / "map.yaml")
    with pytest.raises(
        RecipeError, match=r"h1\.txt: the ending '\.txt' does not say what it is: rename it to end in one of \.csv"
    ):
        call("import", path, tmp_path / "h1.txt")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["Ann", "--level", "en=native", "--base-url", "not a url"], "--base-url 'not a url': write where listeners reach"),
        (["Ann", "--level", "en=native", "--base-url", "ftp://a"], "--base-url 'ftp://a'"),
        (["a\nb", "--level", "en=native"], "line break, tab or other control character"),
        (["Ann", "--level", "en=native", "--level", "en-US=basic"], "'en=native' and 'en-US=basic' are of one language, en"),
    ],
)
def test_an_invitation_that_leads_nowhere_is_refused(path, arguments, message):
    with pytest.raises((DataError, RecipeError), match=message):
        call("invite", path, *arguments)
    with open_store(open_build(path)) as store:
        assert store.annotators() == []


def test_an_export_needs_a_folder_that_can_be_written(path, asking, tmp_path):
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file/sub"):
        with pytest.raises(DataError, match=r"file is a file: name a folder"):
            call("export", path, place)
    with pytest.raises(StorageError, match="writing /proc/x"):
        call("export", path, "/proc/x")
