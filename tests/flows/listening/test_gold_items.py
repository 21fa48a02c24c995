"""The store of a listening test follows the gold file of the recipe, and leaves to an admin what the file did not change."""

import dataclasses

import pytest

from annotate.people.store.vote_store import Store
from flows.listening.gold_items import follow_gold, gold_in
from storage.workspace import Workspace
from tests.annotate.listeners import item, listening_settings


@pytest.fixture
def follow(tmp_path):
    """Return what a build does with the items of a recipe whose gold file says this; gives back the gold of the store."""
    with Store(tmp_path / "votes.sqlite", listening_settings()) as store:

        def following(**gold):
            items = [item(name, gold=tuple(gold.get(name, ()))) for name in ("x", "y", "z")]
            store.add_items(items)
            follow_gold(Workspace(str(tmp_path / "ws")), store, items)
            return gold_in(store)

        following.store = store
        yield following


def test_a_changed_gold_file_changes_the_gold_of_a_test_that_has_begun(follow):
    """A pair that becomes gold, other values, a pair that left the file."""
    assert follow() == {}
    assert follow(x="A") == {"pair-x": ("A",)}
    assert follow(x="B", y="A") == {"pair-x": ("B",), "pair-y": ("A",)}
    assert follow(y=("A", "B")) == {"pair-y": ("A", "B")}
    assert follow() == {}
    assert follow.store.progress().items == 3


def test_what_an_admin_made_or_unmade_stands_until_the_file_changes(follow):
    """The same file again is nothing new, whatever the page did meanwhile."""
    follow(x="A", y="A")
    follow.store.unmake_gold("item-x")
    follow.store.make_gold("item-z", ["B"])
    assert follow(x="A", y="A") == {"pair-y": ("A",), "pair-z": ("B",)}
    version = follow.store.version()
    assert follow(x="A", y="A") == {"pair-y": ("A",), "pair-z": ("B",)}
    assert follow.store.version() == version
    assert follow(x="B", y="A", z="A") == {"pair-x": ("B",), "pair-y": ("A",), "pair-z": ("A",)}


def test_gold_that_left_the_file_while_it_was_not_asked_comes_back_ordinary(follow, tmp_path):
    """Withdrawn as gold, asked again as a question: nobody would ever vote on it if it stayed gold."""
    follow(x="A")
    rest = [item("y"), item("z")]
    follow.store.withdraw(["item-x"])
    follow_gold(Workspace(str(tmp_path / "ws")), follow.store, rest)
    assert follow() == {}
    assert {one.subject_id for one in follow.store.items()} == {"pair-x", "pair-y", "pair-z"}
    assert all(not dataclasses.asdict(one)["gold"] for one in follow.store.items())
