"""Nobody can foretell from what is public which item is gold and which clip comes first."""

import stat
from dataclasses import replace

from annotate.people.store.assignments import _gold_is_due, playing_order
from annotate.people.store.item import Item, ItemClip
from annotate.people.store.listening_settings import ListeningSettings
from annotate.people.store.vote_store import Store
from contracts.plugins import configure

PUBLIC = ListeningSettings(
    protocol=configure("protocol", "unisrm"), protocol_name="unisrm", qualification=0, gold_every=5, seed=7
)
SERVED = replace(PUBLIC, secret="a key that only the server has")


def places(terms, who="ann"):
    return [handed for handed in range(500) if _gold_is_due(terms, who, handed)]


def test_where_gold_comes_depends_on_the_secret():
    """Still one in each block of five, the same at each start; guesses from seed and id hit no oftener than chance."""
    served, guessed = places(SERVED), places(PUBLIC)
    assert [place // 5 for place in served] == list(range(100))
    assert served == places(replace(SERVED))
    hits = len(set(served) & set(guessed))
    assert 5 <= hits <= 40  # 20 by chance, standard deviation 4
    assert places(replace(SERVED, secret="another key of another server")) != served


def test_which_clip_comes_first_depends_on_the_secret():
    clips = (ItemClip(audio_id="a", duration_s=1.0), ItemClip(audio_id="b", duration_s=1.0))
    items = [Item(item_id=f"i{n}", subject_id=f"p{n}", language="en", text=None, clips=clips) for n in range(200)]
    served, guessed = ([playing_order(terms, "ann", item) for item in items] for terms in (SERVED, PUBLIC))
    assert 60 <= sum(one == other for one, other in zip(served, guessed, strict=True)) <= 140
    assert 60 <= served.count("ab") <= 140


def test_a_critique_calls_its_clips_by_their_order():
    clips = (ItemClip(audio_id="a", duration_s=1.0), ItemClip(audio_id="b", duration_s=1.0))
    items = [Item(item_id=f"i{n}", subject_id=f"c{n}", language="en", text=None, clips=clips, critique="x") for n in range(20)]
    assert {playing_order(SERVED, "ann", item) for item in items} == {"ab"}


def test_the_secret_is_shown_nowhere():
    assert SERVED.secret not in repr(SERVED)
    assert SERVED.secret not in SERVED.as_json
    assert SERVED.as_json == PUBLIC.as_json


def test_a_test_under_way_goes_on_with_the_secret(tmp_path):
    """What was handed out stands, and gold goes on coming once in a block."""
    clips = (ItemClip(audio_id="a", duration_s=1.0), ItemClip(audio_id="b", duration_s=1.0))
    items = [
        Item(
            item_id=f"i{n}",
            subject_id=f"p{n}",
            language="en",
            text=None,
            clips=clips,
            gold=("A", "B", "invalid") if n < 10 else (),
        )
        for n in range(40)
    ]
    with Store(tmp_path / "votes.sqlite", PUBLIC) as store:
        store.add_items(items)
        who = store.invite("Ann", {"en": "native"}).annotator_id
        store.consent(who)
        store.confirm_equipment(who)
        before = store.next(who)
    with Store(tmp_path / "votes.sqlite", SERVED) as store:
        after = store.next(who)
    assert (after.assignment_id, after.order) == (before.assignment_id, before.order)


def test_names_and_votes_are_readable_by_their_owner_only(tmp_path):
    """A new database and what lies beside it, and one of before once it is opened again."""
    where = tmp_path / "votes.sqlite"

    def modes():
        return {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}

    with Store(where, PUBLIC) as store:
        store.invite("Ann", {"en": "native"})
        assert set(modes()) >= {"votes.sqlite", "votes.sqlite-wal", "votes.sqlite-shm"}
        assert set(modes().values()) == {0o600}
        for file in tmp_path.iterdir():
            file.chmod(0o644)
        with Store(where, PUBLIC):
            assert set(modes().values()) == {0o600}
    where.chmod(0o664)
    with Store(where, PUBLIC) as store:
        assert set(modes().values()) == {0o600}
        assert [one.name for one in store.annotators()] == ["Ann"]
