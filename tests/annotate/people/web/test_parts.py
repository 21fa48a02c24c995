"""Tokens, buckets, headphone puzzles, audio files, words and forms by themselves."""

import io
import random
import time
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from annotate.people.store.item import ItemClip
from annotate.people.store.protocol import FormQuestion
from annotate.people.web import tokens as tokens_module
from annotate.people.web.assignment_page import key_help, option_keys
from annotate.people.web.audio import ClipFiles, amplified, encoded, media_type
from annotate.people.web.buckets import Allowance, Buckets, client_network
from annotate.people.web.headphones import Challenges, Puzzle, draw_puzzles, sound
from annotate.people.web.rendering import environment, owner_text
from annotate.people.web.tokens import Tokens
from annotate.people.web.words import LANGUAGES, choose_language, words
from contracts.errors import DamagedPart
from contracts.plugins import configure, names
from storage.blobs import BlobStore
from storage.workspace import Workspace
from tests.annotate.people.web import sites


@given(st.text(min_size=1))
def test_an_invitation_says_whose_it_is_and_only_under_its_secret(annotator: str):
    token = Tokens("s" * 16).invitation(annotator)
    assert Tokens("s" * 16).read_invitation(token).annotator_id == annotator
    assert Tokens("t" * 16).read_invitation(token) is None


@given(st.text())
def test_any_text_is_no_token(text: str):
    tokens = Tokens("s" * 16)
    assert tokens.read_invitation(text) is tokens.read_session(text) is tokens.read_admin_session(text) is None
    assert not tokens.read_admin_invitation(text)


def test_old_tokens_are_none(monkeypatch):
    tokens = Tokens("s" * 16)
    invitation, session = tokens.invitation("a"), tokens.session("a")
    monkeypatch.setattr(tokens_module, "INVITATION_S", -1)
    monkeypatch.setattr(tokens_module, "SESSION_S", -1)
    assert tokens.read_invitation(invitation) is None
    assert tokens.read_session(session) is None


@pytest.mark.parametrize(("step_s", "signed_in"), [(3600, True), (-3600, True), (15 * 86400, False), (-15 * 86400, True)])
def test_a_clock_that_is_set_signs_nobody_out(monkeypatch, step_s, signed_in):
    """One that is set back makes tokens of the future: they are ours as before. Ahead, they grow old as any other."""
    tokens, now = Tokens("s" * 16), time.time()
    invitation, session = tokens.invitation("a"), tokens.session("a")

    class Later(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.fromtimestamp(now + step_s, tz)

    monkeypatch.setattr(tokens_module, "datetime", Later)
    monkeypatch.setattr(time, "time", lambda: now + step_s)  # the clock of the library
    assert tokens.read_invitation(invitation).annotator_id == "a"
    assert (tokens.read_session(session) is not None) == signed_in


def test_every_session_has_a_word_of_its_own():
    tokens = Tokens("s" * 16)
    said = {tokens.read_session(tokens.session("a")).csrf for _ in range(3)}
    assert len(said) == 3


@given(st.integers(1, 5), st.lists(st.floats(0, 10), max_size=50))
def test_a_bucket_never_gives_more_than_its_burst_and_what_came_back(burst: int, waits: list[float]):
    now = 0.0
    buckets = Buckets(Allowance(burst=burst, per_s=0.5), clock=lambda: now)
    granted = 0
    for wait in waits:
        now += wait
        granted += buckets.take("x") == 0
    assert granted <= burst + 0.5 * now + 1e-6


def test_a_bucket_fills_again_and_says_when():
    now = 0.0
    buckets = Buckets(Allowance(burst=1, per_s=0.1), clock=lambda: now)
    assert buckets.take("x") == 0
    assert buckets.take("x") == pytest.approx(10)
    assert buckets.take("y") == 0
    now = 10.0
    assert buckets.take("x") == 0


def test_one_holder_of_an_ipv6_network_is_one_client():
    assert client_network("2001:db8::1") == client_network("2001:db8::ffff") != client_network("2001:db8:1::1")
    assert client_network("10.0.0.1") != client_network("10.0.0.2")
    assert client_network("testclient") == "testclient"


def heard(puzzle: Puzzle) -> np.ndarray:
    pcm, rate = soundfile.read(io.BytesIO(sound(puzzle)), dtype="float64", always_2d=True)
    assert (rate, pcm.shape[1]) == (24_000, 2)
    return pcm


def bursts(track: np.ndarray) -> int:
    loud = np.convolve(np.abs(track) > 0.01, np.ones(400), "same") > 0
    return int(np.count_nonzero(np.diff(loud.astype(int)) == 1))


@settings(max_examples=10, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_tones_of_a_puzzle_are_those_of_its_answers(rng: random.Random):
    count, *quietest = draw_puzzles(rng)
    pcm = heard(count)
    assert {"left": bursts(pcm[:, 0]), "right": bursts(pcm[:, 1])} == count.answers
    for puzzle in quietest:
        ears, air = [], []
        for number in range(3):
            part = heard(puzzle)[round((0.4 + number * 1.1) * 24_000) :][: round(0.7 * 24_000)]
            ears.append(np.sqrt(np.mean(part**2)))
            air.append(np.sqrt(np.mean(part.mean(axis=1) ** 2)))
        assert int(np.argmin(ears)) + 1 == puzzle.answers["position"]
        assert puzzle.tones[int(np.argmin(air))] == "opposite"  # over loudspeakers another tone is the quietest


def test_a_challenge_can_be_answered_once():
    challenges = Challenges(tries=Allowance(burst=5, per_s=1.0))
    first = challenges.current("a")
    assert challenges.current("a") == first
    assert challenges.grade("a", "other", first.answers) == (None, 0.0)
    assert challenges.grade("a", first.challenge_id, {**first.answers, "more": "1"}) == (False, 0.0)
    assert challenges.grade("a", first.challenge_id, first.answers) == (None, 0.0)
    second = challenges.current("a")
    assert challenges.grade("a", second.challenge_id, second.answers) == (True, 0.0)


def test_a_clip_is_sent_at_its_gain(tmp_path: Path):
    blobs = BlobStore(Workspace(tmp_path))
    clip = sites.tone(blobs, 1)
    file = ClipFiles(blobs)(ItemClip(audio_id=clip.audio_id, duration_s=0.3, gain_db=-6.0))
    stored, _ = blobs.pcm(clip.audio_id)
    played, rate = soundfile.read(io.BytesIO(file), dtype="int16")
    assert rate == sites.RATE_HZ
    assert 20 * np.log10(np.sqrt(np.mean(played.astype(float) ** 2) / np.mean(stored.astype(float) ** 2))) == pytest.approx(
        -6, abs=0.01
    )


def test_what_would_be_too_loud_stops_at_full_scale():
    assert amplified(np.array([-30000, 0, 30000], np.int16), 6.0).tolist() == [-32768, 0, 32767]


def test_files_are_kept_up_to_a_limit_and_made_again_beyond_it(tmp_path: Path, monkeypatch):
    blobs = BlobStore(Workspace(tmp_path))
    clips = [sites.tone(blobs, number) for number in range(3)]
    read: list[str] = []
    plain = blobs.pcm
    monkeypatch.setattr(blobs, "pcm", lambda blob: read.append(blob) or plain(blob))
    size = max(len(ClipFiles(blobs)(clip)) for clip in clips)
    read.clear()
    playback = ClipFiles(blobs, cache_bytes=2 * size)
    for number in (0, 0, 1, 0, 2, 0, 1):
        playback(clips[number])
    assert [clips.index(next(clip for clip in clips if clip.audio_id == blob)) for blob in read] == [0, 1, 2, 1]


def test_a_missing_blob_is_an_error(tmp_path: Path):
    with pytest.raises(DamagedPart):
        ClipFiles(BlobStore(Workspace(tmp_path)))(ItemClip(audio_id="f" * 64, duration_s=1.0))


def test_media_types_go_by_the_file():
    assert media_type(encoded(np.zeros(100, np.int16), 16000)) == "audio/flac"
    assert media_type(b"RIFF....WAVE") == "audio/wav"


def test_both_languages_have_the_same_words_and_slots():
    english, chinese = (words(language) for language in LANGUAGES)
    assert not english.keys() & set(dir(dict)), "a page would show a method of the dictionary instead"
    assert list(english) == list(chinese)
    for key, text in english.items():
        assert isinstance(text, str), key
        assert isinstance(chinese[key], str), key
        assert text.count("{") == chinese[key].count("{"), key


def test_every_refusal_of_the_store_has_words():
    import re

    from annotate.people.store.store_records import Refused
    from annotate.people.web.app import _NOT_FOUND, _OUT_OF_TURN

    reasons = set(re.findall(r"^\s+(\w+):", Refused.__doc__.partition("Reasons:")[2].partition("Attributes:")[0], re.MULTILINE))
    of_admins = {"unknown_item", "unknown_value"}
    assert {"not_heard", "expired"} <= reasons
    for reason in reasons - set(_NOT_FOUND) - set(_OUT_OF_TURN) - of_admins:
        assert f"refused_{reason}" in words("en"), reason


def test_all_templates_compile():
    for name in environment().list_templates():
        environment().get_template(name)


@pytest.mark.parametrize(
    ("asked", "remembered", "accepted", "chosen"),
    [
        (None, None, "", "en"),
        ("zh", "en", "en", "zh"),
        (None, "zh", "en", "zh"),
        (None, "xx", "ZH-hk;q=1", "zh"),
        ("x", None, "de", "en"),
    ],
)
def test_languages(asked: str | None, remembered: str | None, accepted: str, chosen: str):
    assert choose_language(from_address=asked, from_cookie=remembered, accept_language=accepted) == chosen


def test_the_owners_words_come_first():
    assert owner_text({"zh": "你好"}, "zh", "x") == ["你好"]
    assert owner_text({"en": "one\n\ntwo"}, "zh", "x") == ["one", "two"]
    assert owner_text({}, "en", "x") == ["x"]


def test_no_key_does_two_things():
    for name in names("protocol"):
        protocol = configure("protocol", name)
        keys = [key for group in option_keys(protocol.questions) for key in group if key]
        assert len(set(keys)) == len(keys)
        assert not set(keys) & {"1", "2", "p", "r", "h"}
        assert ["Enter"] in [key for key, _ in key_help(protocol.questions, protocol.clips, words("en"))]


def test_the_keys_of_the_protocols():
    assert option_keys(configure("protocol", "unisrm").questions) == [["a", "b", "i"]]
    assert option_keys(configure("protocol", "speechjudge").questions) == [["q", "w", "e"], ["u", "i", "o"], [None] * 5]
    assert option_keys(configure("protocol", "acceptance").questions) == [["y", "n", "i"]]
    assert option_keys([FormQuestion(name="x", kind="choice", options=("good", "great"))]) == [[None, None]]
