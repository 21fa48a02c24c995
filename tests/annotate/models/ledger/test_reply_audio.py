"""The audio of a speech service's reply is kept with the reply: both or neither, and whoever shares the ledger has both."""

from dataclasses import replace

import pytest

from annotate.models.ledger.ledger import Ledger
from annotate.models.request import Refusal, Reply
from contracts.errors import StorageError
from tests.annotate import ledgers
from tests.annotate.ledgers import entry, query

place = ledgers.place

AUDIO = bytes(range(256)) * 1000
SPOKEN = Reply(text='{"media_type":"audio/wav"}', cost_usd=0.5, audio=AUDIO)


def bought(place: str) -> None:
    with Ledger(place, account="here") as ledger:
        ledger.claim([entry("a"), entry("b"), entry("c")])
        ledger.mark_sent([("a", 0.9), ("b", 0.9)], 9.0)
        ledger.commit([("a", SPOKEN), ("b", Refusal(reason="blocked", message="no"))])


def test_the_audio_comes_back_byte_for_byte_and_only_when_asked_for(place):
    """Replies are read by the thousand, so they come without it; another user of the ledger reads it, too."""
    bought(place)
    with Ledger(place, account="there") as other:
        assert other.audio("a") == AUDIO
        assert other.audio("b") is other.audio("c") is other.audio("never asked") is None
        assert other.replies(["a", "b"]) == {"a": replace(SPOKEN, audio=None)}
        assert other.claim([entry("a")]) == [], "what is answered cannot be asked again"


def test_a_refused_commit_keeps_no_audio(place):
    """One request of another owner in the same transaction: neither the reply nor its audio is there."""
    with Ledger(place, account="here") as ledger, Ledger(place, account="there") as other:
        ledger.claim([entry("a")])
        other.claim([entry("b")])
        with pytest.raises(StorageError, match="not reserved by this process"):
            ledger.commit([("a", SPOKEN), ("b", SPOKEN)])
        assert ledger.audio("a") is ledger.audio("b") is None
        ledger.commit([("a", SPOKEN)])
        assert ledger.audio("a") == AUDIO


def test_a_reply_that_came_late_keeps_its_audio(place):
    """Another process had taken the request over, and has no reply yet: what was paid for is kept."""
    with Ledger(place, account="here") as late:
        late.claim([entry("a")])
        late.mark_sent([("a", 0.9)], 9.0)
        query(place, "UPDATE ledger_requests SET owner = 'somebody else'")
        late.commit([("a", SPOKEN)])
        assert late.audio("a") == AUDIO


def test_damaged_audio_is_not_returned(place):
    """Its sha256 is beside it."""
    bought(place)
    query(place, "UPDATE ledger_audio SET data = substr(data, 2)")
    with Ledger(place) as ledger:
        assert ledger.audio("a") is None


def test_a_ledger_of_the_version_before_gets_the_table(place):
    """Version 2 is what was written before there were speech services; what it holds stays."""
    bought(place)
    query(place, "DROP TABLE ledger_audio")
    query(place, "UPDATE ledger_version SET version = 2" if "://" in place else "PRAGMA user_version = 2")
    with Ledger(place, account="here") as ledger:
        assert ledger.audio("a") is None
        assert ledger.owed_usd() == 0.5
        ledger.mark_sent([("c", 0.5)], 9.0) if ledger.claim([entry("c")]) else pytest.fail("c is free")
        ledger.commit([("c", SPOKEN)])
    with Ledger(place) as ledger:
        assert ledger.audio("c") == AUDIO
    [(version,)] = query(place, "SELECT version FROM ledger_version" if "://" in place else "PRAGMA user_version")
    assert version == 3
