"""A listener's way through the pages, and what the server refuses whatever a page says."""

import io

import numpy as np
import pytest
import soundfile
from starlette.testclient import TestClient

from annotate.people.web.buckets import Allowance
from contracts.errors import DataError
from tests.annotate.people.web import sites
from tests.annotate.people.web.sites import Listener, Opened


def reason(reply) -> tuple[int, str]:
    return reply.status_code, reply.json()["reason"]


def test_the_first_address_always_shows_the_step_that_is_next(opened: Opened):
    ann = Listener(opened, opened.invite())
    assert 'data-post="/consent"' in ann.client.get("/").text
    ann.post("/consent", {"agree": "yes"})
    assert 'data-post="/check"' in ann.client.get("/").text
    opened.store.confirm_equipment(ann.annotator_id)
    assert 'data-page="item"' in ann.client.get("/").text


def test_steps_out_of_order_are_refused(opened: Opened):
    ann = Listener(opened, opened.invite())
    challenge = opened.app.state.challenges.current(ann.annotator_id)
    passed = {
        "challenge": challenge.challenge_id,
        "quiet": "yes",
        "headphones": "yes",
        "hearing": "yes",
        "fluent": "yes",
        "answers": challenge.answers,
    }
    assert reason(ann.post("/check", passed)) == (409, "state")
    assert ann.client.get("/next").status_code == 409
    ann.post("/consent", {"agree": "yes"})
    assert ann.client.get("/next").status_code == 409
    assert opened.store.annotator(ann.annotator_id).state == "consented"


def test_the_headphone_check_is_judged_by_the_server_and_tries_run_out(tmp_path):
    opened = sites.open_site(tmp_path, clock=sites.Clock(), check_tries=Allowance(burst=2, per_s=0.001))
    ann = Listener(opened, opened.invite())
    ann.post("/consent", {"agree": "yes"})

    def attempt(right: bool):
        challenge = opened.app.state.challenges.current(ann.annotator_id)
        answers = dict(challenge.answers) if right else dict.fromkeys(challenge.answers, "0")
        return ann.post(
            "/check",
            {
                "challenge": challenge.challenge_id,
                "quiet": "yes",
                "headphones": "yes",
                "hearing": "yes",
                "fluent": "yes",
                "answers": answers,
            },
        )

    assert reason(attempt(False)) == (409, "wrong")
    assert reason(attempt(False)) == (409, "wrong")
    refused = attempt(True)
    assert reason(refused) == (409, "wait")
    assert "minutes" in refused.json()["message"]
    assert opened.store.annotator(ann.annotator_id).state == "consented"
    opened.store.close()


def test_the_sounds_of_the_check_are_ones_own(opened: Opened):
    ann, bob = Listener(opened, opened.invite()), Listener(opened, opened.invite("Bob"))
    for one in (ann, bob):
        one.post("/consent", {"agree": "yes"})
        one.client.get("/")
    challenge = opened.app.state.challenges.current(ann.annotator_id)
    sound = ann.client.get(f"/check/{challenge.challenge_id}/0")
    assert soundfile.info(io.BytesIO(sound.content)).channels == 2
    assert bob.client.get(f"/check/{challenge.challenge_id}/0").status_code == 404
    assert ann.client.get(f"/check/{challenge.challenge_id}/3").status_code == 404
    page = ann.client.get("/").text
    assert "soft" not in page
    assert "opposite" not in page


def test_a_vote_before_both_clips_ended_is_refused(ann: Listener, opened: Opened):
    assignment = ann.item()
    assert reason(ann.vote(assignment, value="A")) == (409, "not_heard")
    ann.hear(assignment, ["0"])
    assert reason(ann.vote(assignment, value="A")) == (409, "not_heard")
    ann.play(assignment, "1", "started")
    assert reason(ann.vote(assignment, value="A")) == (409, "not_heard")
    early = ann.play(assignment, "1", "ended")
    assert reason(early) == (409, "too_early")
    assert early.json()["wait_s"] == pytest.approx(0.3 * 0.95, abs=0.02)
    opened.clock.now += 0.3
    assert ann.play(assignment, "1", "ended").status_code == 200
    assert ann.vote(assignment, value="A").status_code == 200
    assert opened.store.votes().num_rows == 1


def test_a_clip_cannot_end_that_never_began(ann: Listener, opened: Opened):
    opened.clock.now += 100
    assert ann.play(ann.item(), "0", "ended").status_code == 409


def test_plays_run_out(tmp_path):
    opened = sites.open_site(tmp_path, clock=sites.Clock(), protocol_options={"max_plays": 2})
    opened.store.add_items(sites.items(opened.blobs, 2))
    ann = Listener(opened, opened.invite()).prepare()
    assignment = ann.item()
    assert 'data-left="2"' in ann.client.get("/next").text
    ann.hear(assignment, ["0", "0"])
    assert 'data-left="0"' in ann.client.get("/next").text
    assert reason(ann.play(assignment, "0", "started")) == (409, "no_plays_left")
    opened.store.close()


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"value": []},
        {"value": ["T"]},
        {"value": ["A", "B"]},
        {"value": ["A", "A"]},
        {"value": ["A"], "more": ["x"]},
        {"<x>": ["A"]},
    ],
)
def test_a_form_that_the_protocol_does_not_know_is_refused(ann: Listener, form: dict, opened: Opened):
    assignment = ann.item()
    ann.hear(assignment)
    assert reason(ann.post("/vote", {"assignment": assignment, "form": form})) == (422, "form")
    assert opened.store.votes().num_rows == 0


def test_the_same_vote_again_is_acknowledged_and_kept_once_another_is_refused(ann: Listener, opened: Opened):
    assignment = ann.item()
    ann.hear(assignment)
    first = ann.vote(assignment, value="A")
    assert ann.vote(assignment, value="A").json() == first.json()
    assert reason(ann.vote(assignment, value="B")) == (409, "answered")
    assert opened.store.votes().num_rows == 1


def test_the_same_item_is_shown_until_it_is_answered(ann: Listener):
    assignment = ann.item()
    assert ann.item() == assignment
    ann.hear(assignment)
    ann.vote(assignment, value="A")
    assert ann.item() != assignment


def test_what_comes_next_is_known_beforehand(ann: Listener):
    assignment = ann.item()
    ahead = ann.client.get("/upcoming").json()["audio"]
    assert all(ann.client.get(address).status_code == 200 for address in ahead)
    ann.hear(assignment)
    ann.vote(assignment, value="A")
    following = ann.item()
    assert ahead == [f"/audio/{following}/0", f"/audio/{following}/1"]


def test_votes_map_back_to_the_stored_order(ann: Listener, opened: Opened):
    """Whoever always likes the higher tone prefers A in the stored order, however it was played."""
    stored = {item.subject_id: item for item in opened.store.items()}
    for _ in range(6):
        assignment = ann.item()
        heard = [pitch(ann.client.get(f"/audio/{assignment}/{slot}").content) for slot in ("0", "1")]
        ann.hear(assignment)
        ann.vote(assignment, value="A" if heard[0] > heard[1] else "B")
    votes = opened.store.votes().to_pylist()
    assert len(votes) == len(stored) == 6
    assert {vote["value"] for vote in votes} == {"B"}  # the second clip of each pair is 7 Hz higher


def pitch(file: bytes) -> float:
    pcm, rate = soundfile.read(io.BytesIO(file))
    crossings = np.flatnonzero(np.diff(np.signbit(pcm)))
    return (len(crossings) - 1) * rate / (2 * (crossings[-1] - crossings[0]))


def test_who_has_heard_everything_is_thanked(ann: Listener):
    for _ in range(6):
        assignment = ann.item()
        ann.hear(assignment)
        ann.vote(assignment, value="invalid")
    page = ann.client.get("/next").text
    assert 'data-page="end"' in page
    assert "Thank you" in page
    assert "<strong>6</strong>" in page


def test_a_test_without_items_yet_is_not_said_to_be_over(tmp_path):
    """Served before the build put items in: listeners are asked to look again."""
    made = sites.open_site(tmp_path, clock=sites.Clock())
    early = Listener(made, made.invite("Ann")).prepare()
    assert 'href="/"' in early.client.get("/next").text
    made.store.close()


def test_who_is_excluded_is_told_so_and_hears_no_more(ann: Listener, opened: Opened):
    assignment = ann.item()
    opened.store.exclude(ann.annotator_id, "too_fast", {"median_s": 0.4})
    page = ann.client.get("/").text
    assert "over for you" in page
    assert "too_fast" not in page
    assert ann.client.get(f"/audio/{assignment}/0").status_code in (404, 409)
    ann.play(assignment, "0", "started")
    assert ann.vote(assignment, value="A").status_code in (404, 409)


def test_who_fails_the_test_is_told_kindly(tmp_path):
    opened = sites.open_site(tmp_path, clock=sites.Clock(), settings={"qualification": 2, "gold_every": 0})
    made = [type(item)(**{**_fields(item), "gold": ("invalid",)}) for item in sites.items(opened.blobs, 2)]
    opened.store.add_items(made)
    ann = Listener(opened, opened.invite()).prepare()
    assert "known answers" in ann.client.get("/").text
    for _ in range(2):
        assignment = ann.item()
        ann.hear(assignment)
        ann.vote(assignment, value="A")
    page = ann.client.get("/").text
    assert opened.store.annotator(ann.annotator_id).state == "failed"
    assert "Thank you for your time" in page
    opened.store.close()


def _fields(item) -> dict:
    return {name: getattr(item, name) for name in item.__dataclass_fields__}


def test_history_has_to_be_heard_too(tmp_path):
    opened = sites.open_site(tmp_path, clock=sites.Clock())
    turns = tuple(sites.tone(opened.blobs, 90 + number) for number in range(2))
    prompt = (sites.tone(opened.blobs, 80),)
    opened.store.add_items(sites.items(opened.blobs, 1, history=turns, references=prompt, note="They are late."))
    ann = Listener(opened, opened.invite()).prepare()
    assignment = ann.item()
    page = ann.client.get("/").text
    for shown in ("Turn 1", "Turn 2", "Reference", "They are late."):
        assert shown in page
    ann.hear(assignment)
    assert reason(ann.vote(assignment, value="A")) == (409, "not_heard")
    ann.hear(assignment, ["history0", "history1"])
    assert ann.vote(assignment, value="A").status_code == 200
    opened.store.close()


@pytest.mark.parametrize(
    ("protocol", "form"),
    [
        ("speechjudge", {"value": "T", "errors_a": "omission"}),
        (
            "rating",
            dict.fromkeys(("noise", "distortion", "speed", "continuity", "naturalness", "listening_effort", "overall"), "4"),
        ),
    ],
)
def test_every_protocol_gets_its_form(tmp_path, protocol: str, form: dict[str, str]):
    opened = sites.open_site(tmp_path, protocol, clock=sites.Clock())
    clips = opened.store.settings.protocol.clips
    opened.store.add_items(sites.items(opened.blobs, 1, clips=clips))
    ann = Listener(opened, opened.invite()).prepare()
    page = ann.client.get("/").text
    for question in opened.store.settings.protocol.questions:
        for option in question.options:
            assert f'name="{question.name}" value="{option}"' in page
    ann.hear(ann.item(), [str(slot) for slot in range(clips)])
    assert ann.vote(ann.item(), **form).status_code == 200
    kept = opened.store.ratings() if protocol == "rating" else opened.store.votes()
    assert kept.num_rows == 1
    opened.store.close()


def test_a_critique_is_shown_escaped_above_the_clips_that_it_names(tmp_path):
    """Audio 1 is the pair's A for everybody, and the form is open once both were heard."""
    opened = sites.open_site(tmp_path, "acceptance", clock=sites.Clock())
    made = sites.items(opened.blobs, 4, critique="Audio 1 hums.\n<script>alert(1)</script> {{ 7 * 7 }}")
    opened.store.add_items(made)
    first = {item.subject_id: item.clips[0].audio_id for item in made}
    for name in ("Ann", "Bob"):
        listener = Listener(opened, opened.invite(name)).prepare()
        for _ in made:
            page = listener.client.get("/").text
            assert "Audio 1 hums.\n&lt;script&gt;alert(1)&lt;/script&gt; {{ 7 * 7 }}</blockquote>" in page
            assert page.index("Audio 1 hums") < page.index("Play Audio 1") < page.index("Play Audio 2")
            assert "Play A<" not in page
            assert "data-about" not in page
            assignment = opened.store.assignment(listener.item(), listener.annotator_id)
            assert assignment.clips[0].clip.audio_id == first[assignment.item.subject_id]
            assert reason(listener.vote(listener.item(), value="no")) == (409, "not_heard")
            listener.hear(listener.item(), ["0", "1"])
            assert listener.vote(listener.item(), value="no").status_code == 200
    assert opened.store.votes()["value"].to_pylist() == ["no"] * 8
    assert set(opened.store.votes()["order"].to_pylist()) == {"ab"}
    opened.store.close()


@pytest.mark.parametrize(("protocol", "critique"), [("unisrm", "Audio 1 hums."), ("acceptance", None)])
def test_a_protocol_takes_what_it_asks_about(tmp_path, protocol, critique):
    opened = sites.open_site(tmp_path, protocol)
    with pytest.raises(DataError, match="critique, protocol"):
        opened.store.add_items(sites.items(opened.blobs, 1, critique=critique))
    opened.store.close()


@pytest.mark.parametrize(
    ("asked", "cookie", "accepted", "shown"),
    [
        ("?lang=zh", "", "en", "zh"),
        ("", "lang=zh", "en", "zh"),
        ("", "", "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("", "", "fr, de", "en"),
        ("?lang=fr", "", "zh", "zh"),
    ],
)
def test_the_language_is_that_of_address_cookie_or_browser(opened: Opened, asked: str, cookie: str, accepted: str, shown: str):
    client = TestClient(opened.app, base_url=opened.site.base_url)
    reply = client.get(f"/{asked}", headers={"cookie": cookie, "accept-language": accepted})
    assert f'<html lang="{shown}">' in reply.text
    assert ("lang=zh" in reply.headers.get("set-cookie", "")) == (asked == "?lang=zh")


def test_refusals_are_said_in_the_readers_language(ann: Listener):
    reply = ann.client.post(
        "/vote",
        json={"assignment": ann.item(), "form": {"value": ["A"]}},
        headers={"origin": "http://testserver", "x-csrf-token": ann.csrf, "accept-language": "zh"},
    )
    assert reply.json()["message"] == "请先把录音听完。"
