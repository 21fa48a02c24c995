"""Numbers of a reply that cannot be: the reply is kept and paid for once, whatever it says of its size."""

import asyncio
import copy
import json
import math
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from annotate.models.calls.batch_calls import BatchCalls
from annotate.models.calls.batch_polling import PollSchedule
from annotate.models.calls.case_state import CallContext
from annotate.models.calls.live_calls import LiveCalls
from annotate.models.inquiry import Inquiry
from annotate.models.ledger.entries import Entry
from annotate.models.ledger.ledger import Ledger
from annotate.models.prices import Price
from annotate.models.providers.gemini.client import Gemini
from annotate.models.providers.gemini.reply import GeminiReply
from annotate.models.providers.openai.chat import answer
from annotate.models.providers.openai.client import OpenAI
from annotate.models.request import Estimate, Refusal, Reply
from annotate.models.usage import UNBOUNDED, booked, decoded
from tests.annotate import gemini_server, openai_server
from tests.annotate.batch_provider import PROBE, case
from tests.annotate.gemini_replies import response
from tests.annotate.malformed import ABSURD_COUNTS, ABSURD_NAMES
from tests.annotate.openai_wire_format import completion

PRICE = Price(text_input=1.0, audio_input=10.0, output=5.0)
HIGHEST = Estimate(input_tokens=300, output_tokens=100, usd=0.5)


def changed(body: dict[str, Any], place: tuple[str | int, ...], value: object) -> dict[str, Any]:
    """Return a copy of a body with a value in one place."""
    body = copy.deepcopy(body)
    inside: Any = body
    for key in place[:-1]:
        inside = inside[key]
    inside[place[-1]] = value
    return body


def of_gemini(body: dict[str, Any], highest: Estimate = HIGHEST, *, heard: bool = False) -> Reply | Refusal:
    return GeminiReply.of(body, json.dumps(body), None).answer(PRICE, highest=highest, has_audio=heard)


def of_openai(body: dict[str, Any], highest: Estimate = HIGHEST, *, heard: bool | None = False) -> Reply | Refusal:
    found = answer(body, json.dumps(body), price=PRICE, highest=highest, has_audio=heard)
    assert isinstance(found, Reply | Refusal)
    return found


GEMINI = response("yes", 60, 0, 20) | {"modelVersion": "served"}
OPENAI = completion("yes", sent=60, heard=0, back=20, model="served")
EACH = {
    "gemini": (of_gemini, GEMINI, "usageMetadata", "promptTokenCount", "candidatesTokenCount", "modelVersion"),
    "openai": (of_openai, OPENAI, "usage", "prompt_tokens", "completion_tokens", "model"),
}


@pytest.mark.parametrize("provider", EACH)
@pytest.mark.parametrize("value", [*ABSURD_COUNTS, None], ids=lambda value: repr(value)[:24])
def test_a_count_that_cannot_be_is_unknown_and_costs_the_most(provider, value):
    """The text is kept in any case. OpenAI's two counts are believed together or not at all."""
    read, good, usage, sent, back, _ = EACH[provider]
    expected = read(good)
    assert (expected.input_tokens, expected.output_tokens, expected.cost_usd) == (60, 20, pytest.approx(160 / 1e6))
    for place, name in ((sent, "input_tokens"), (back, "output_tokens")):
        got = read(changed(good, (usage, place), value))
        assert isinstance(got, Reply)
        assert (got.text, getattr(got, name), got.cost_usd) == ("yes", None, HIGHEST.usd)


@pytest.mark.parametrize("provider", EACH)
def test_usage_of_another_shape_is_unknown(provider):
    read, good, usage, *_ = EACH[provider]
    for value in (None, 7, "x", True, [], [7], {}):
        got = read(changed(good, (usage,), value))
        assert isinstance(got, Reply)
        assert (got.text, got.input_tokens, got.output_tokens, got.cost_usd) == ("yes", None, None, HIGHEST.usd)


@pytest.mark.parametrize("provider", EACH)
def test_a_name_that_is_none_is_unknown(provider):
    """The model that answered, as it names itself."""
    read, good, *_, model = EACH[provider]
    for value in ABSURD_NAMES:
        got = read(changed(good, (model,), value))
        assert isinstance(got, Reply)
        assert (got.text, got.model_served, got.input_tokens) == ("yes", None, 60)


def test_thoughts_that_cannot_be_make_the_output_unknown():
    """They are billed beside the candidate, and left out where there are none."""
    for value in ABSURD_COUNTS:
        got = of_gemini(changed(GEMINI, ("usageMetadata", "thoughtsTokenCount"), value))
        none = value == 0 and not isinstance(value, bool)
        assert (got.output_tokens, got.cost_usd) == ((20, pytest.approx(160 / 1e6)) if none else (None, HIGHEST.usd))


@pytest.mark.parametrize("value", [value for value in ABSURD_COUNTS if value != 0], ids=lambda value: repr(value)[:24])
def test_audio_that_cannot_be_costs_the_dearer_price(value):
    """Gemini: all input counts as audio. OpenAI: the highest price."""
    details = [{"modality": "TEXT", "tokenCount": 60}, {"modality": "AUDIO", "tokenCount": value}]
    got = of_gemini(changed(GEMINI, ("usageMetadata", "promptTokensDetails"), details), heard=True)
    assert (got.input_tokens, got.cost_usd) == (60, pytest.approx((60 * 10 + 20 * 5) / 1e6))
    got = of_openai(changed(OPENAI, ("usage", "prompt_tokens_details", "audio_tokens"), value), heard=True)
    assert (got.text, got.cost_usd) == ("yes", HIGHEST.usd)


PLACES = {
    "gemini": [
        *(("usageMetadata", name) for name in ("totalTokenCount", "cachedContentTokenCount", "candidatesTokensDetails")),
        *(("candidates", 0, name) for name in ("avgLogprobs", "index", "safetyRatings", "tokenCount", "citationMetadata")),
        *(("responseId",), ("createTime",)),
    ],
    "openai": [
        *(("usage", name) for name in ("total_tokens", "completion_tokens_details")),
        ("usage", "prompt_tokens_details", "cached_tokens"),
        *(("choices", 0, name) for name in ("index", "logprobs")),
        *((name,) for name in ("id", "created", "object", "system_fingerprint", "service_tier")),
    ],
}


@pytest.mark.parametrize("provider", EACH)
def test_what_is_not_used_may_be_anything(provider):
    """A reply that was paid for is no malformed one because of a field that nobody reads."""
    read, good, *_ = EACH[provider]
    for place in PLACES[provider]:
        for value in [*ABSURD_COUNTS, *ABSURD_NAMES, None]:
            got = read(changed(good, place, value))
            assert isinstance(got, Reply)
            assert (got.text, got.input_tokens, got.output_tokens) == ("yes", 60, 20)


def test_no_output_where_no_text_came_back_is_no_wonder():
    """A blocked prompt costs its input."""
    got = of_gemini({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 60}})
    assert (type(got), got.cost_usd) == (Refusal, pytest.approx(60 / 1e6))
    got = of_openai(completion(None, sent=60, heard=0, back=0, refusal="no"))
    assert (type(got), got.cost_usd) == (Refusal, pytest.approx(60 / 1e6))


def test_numbers_longer_than_python_reads_are_numbers():
    """Python refuses to read more than 4,300 digits; that is no reason to lose a reply."""
    assert decoded(f'{{"a": {"7" * 5000}, "b": 7}}') == {"a": math.inf, "b": 7}
    assert decoded("{") is None
    assert decoded("[" * 100_000) is None


def test_the_price_of_a_batch_is_bounded_by_what_was_booked():
    """Results do not know their requests; the ledger knows what each could cost."""
    unknown = of_gemini(changed(GEMINI, ("usageMetadata",), None), UNBOUNDED)
    assert unknown.cost_usd == math.inf
    assert booked(unknown, 0.02).cost_usd == 0.02
    assert booked(unknown, 0.0).cost_usd == 0.0
    much = of_gemini(changed(GEMINI, ("usageMetadata", "promptTokenCount"), 2_000_000), UNBOUNDED)
    assert (much.input_tokens, much.cost_usd) == (2_000_000, pytest.approx(2.0001))
    got = booked(much, 0.02)
    assert isinstance(got, Reply)
    assert (got.text, got.input_tokens, got.output_tokens, got.cost_usd) == ("yes", None, None, 0.02)
    assert booked(of_gemini(GEMINI), 0.02) == of_gemini(GEMINI)
    for usd in (math.nan, -1.0):
        assert booked(Refusal(reason="r", message="m", cost_usd=usd), 0.02).cost_usd == 0.02
    assert of_openai(changed(OPENAI, ("usage", "prompt_tokens_details"), None), UNBOUNDED, heard=None).cost_usd == math.inf


# Whole runs: real SDKs, real files, real ledger.

ABSURD = [-1, 0, True, "12", 1.5, 10**9, 2**63 - 1, 2**63, 2**64 - 1, 10**30, [], None]


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("GOOGLE_", "GEMINI_", "OPENAI_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("GEMINI_API_KEY", "AIzaCanaryCanaryCanary0123456789")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-proj-CanaryCanaryCanary0123456789")


async def hurry(seconds: float) -> None:
    await asyncio.sleep(min(seconds, 0.01))


def asked(judge: Gemini | OpenAI, path: Path, mode: str) -> dict[str, Reply | Refusal]:
    """Return row -> answer of a whole run."""
    context = CallContext(
        inquiry=Inquiry.of(PROBE, judge),
        problem_of=lambda *_: None,
        open_ledger=lambda: Ledger(path, account="a"),
        clips=None,
        budget_usd=100.0,
    )
    asking: LiveCalls | BatchCalls = LiveCalls(context=context)
    if mode == "batch":
        asking = BatchCalls(
            context=context, poll_schedule=PollSchedule(poll_s=0.01), now=lambda: 1000 * time.monotonic(), sleep=hurry
        )
    conversations = [
        conversation for some in asking.conversations(case(n) for n in range(len(ABSURD))) for conversation in some
    ]
    return {conversation.case.row_id: conversation.exchanges[0][1] for conversation in conversations}


def absurd_of(prompt: str) -> object:
    return ABSURD[int(prompt.rsplit(maxsplit=1)[-1])]


@pytest.mark.parametrize("mode", ["live", "batch"])
@pytest.mark.parametrize("provider", EACH)
def test_absurd_counts_are_paid_once_and_crash_no_start(provider, mode, tmp_path):
    """Each is asked once, answered, booked at its highest price, and read from the ledger by the next start."""
    _, good, usage, sent, *_ = EACH[provider]
    if provider == "gemini":

        def script(_number: int, prompt: str) -> gemini_server.Answer:
            return gemini_server.Answer(body=changed(good, (usage, sent), absurd_of(prompt)))

        serving: Any = gemini_server.serving(script)
    else:
        serving = openai_server.serving(openai_server.Options(polls=1))
    with serving as server:
        if provider == "gemini":
            server.bill.add = lambda *_, **__: None  # such counts make no bill
            judge: Any = Gemini(base_url=server.url)
        else:
            server.made = lambda body, *_, **__: changed(good, (usage, sent), absurd_of(openai_server.question(body)[0]))
            judge = OpenAI(base_url=server.url, model="gpt-4.1-mini", batches=True)
        first = asked(judge, tmp_path / "l", mode)
        sendings = sum((server.sent if provider == "gemini" else server.asked).values())
        second = asked(judge, tmp_path / "l", mode)
        assert sum((server.sent if provider == "gemini" else server.asked).values()) == sendings == len(ABSURD)
    for answers in (first, second):
        assert len(answers) == len(ABSURD)
        for reply in answers.values():
            assert isinstance(reply, Reply)
            assert (reply.text, reply.input_tokens) == ("yes", None)
    with Ledger(tmp_path / "l", account="a") as ledger:
        highest = sum(judge.estimate(case(n).request.prompt, 0.0, batch=mode == "batch").usd for n in range(len(ABSURD)))
        assert ledger.owed_usd() == pytest.approx(highest, rel=1e-6)
        (spend,) = ledger.spend()
        assert (spend.replied, spend.input_tokens, spend.cost_usd) == (len(ABSURD), 0, pytest.approx(highest, rel=1e-6))


def test_damage_that_an_older_version_stored_is_read_as_unknown(tmp_path):
    """SQLite keeps a number of any size and kind in any column, and refuses to add two of the largest."""
    damaged = [-5, 0, 2**63 - 1, 2**63 - 1, 1.8446744073709552e19, "abc", b"\xff", 12]
    with Ledger(tmp_path / "l", account="a") as ledger:
        entries = [
            Entry(key=f"k{n}", judge="j", model="m", task="t", prompt_version="v", row_id=f"r{n}") for n in range(len(damaged))
        ]
        ledger.claim(entries)
        ledger.mark_sent([(entry.key, 0.1) for entry in entries], 10.0)
        ledger.commit([(entry.key, Reply(text="yes", input_tokens=5, output_tokens=5, cost_usd=0.1)) for entry in entries])
    with closing(sqlite3.connect(tmp_path / "l")) as database, database:
        for number, value in enumerate(damaged):
            database.execute(
                "UPDATE ledger_requests SET input_tokens = ?, output_tokens = ?, spent_picousd = ? WHERE key = ?",
                (value, value, 2**62, f"k{number}"),
            )
        database.execute("UPDATE ledger_requests SET model_served = ? WHERE key = 'k0'", (b"\xff",))
    with Ledger(tmp_path / "l", account="a") as ledger:
        replies = ledger.replies([entry.key for entry in entries])
        assert [replies[entry.key].input_tokens for entry in entries] == [None] * 7 + [12]
        assert [replies[entry.key].output_tokens for entry in entries] == [None] * 7 + [12]
        assert {reply.text for reply in replies.values()} == {"yes"}
        assert replies["k0"].model_served is None
        (spend,) = ledger.spend()
        assert (spend.replied, spend.input_tokens) == (len(damaged), 12)
        assert spend.cost_usd == pytest.approx(len(damaged) * 2**62 / 1e12)
