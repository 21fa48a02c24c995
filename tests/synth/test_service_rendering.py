"""Clips by a speech service: what is bought, what is not bought again, and what becomes of the replies."""

import json
from dataclasses import replace

import pyarrow as pa
import pytest

from annotate.models.ledger.ledger import Ledger
from contracts.conformance import conform
from contracts.errors import BudgetExceeded, SetupError
from contracts.ids import canonical_json
from storage.blobs import BlobStore
from storage.workspace import Workspace
from synth.dsp import AudioFormat
from synth.render import RenderJob
from synth.service_rendering import spoken_rows
from tests.annotate import openai_asking
from tests.annotate.ledgers import balanced, query
from tests.annotate.openai_server import Options, serving
from tests.annotate.openai_wire_format import Sent, error
from tests.annotate.spoken_audio import audio_of
from tests.synth.test_render import batch

api_key = openai_asking.api_key

TEXTS = ["The birch canoe slid on the smooth planks.", "Glue the sheet to the dark blue background."]
PRICED = Options(usd_per_million=(0.6, 0.0, 12.0), model_served="tts-of-today")


class Bench:
    """One workspace and ledger, and a server that is paid."""

    def __init__(self, folder, server) -> None:
        self.folder, self.server = folder, server
        self.place = str(folder / "ledger.sqlite")
        self.job = self.job_of()

    def job_of(self, **options) -> RenderJob:
        options = {"base_url": self.server.url, "usd_per_million": [0.6, 12.0], "backoff_s": 0.01, "max_attempts": 3} | options
        return RenderJob(
            engine="openai_speech",
            options=canonical_json(options),
            system="far",
            audio=AudioFormat(),
            workspace_url=str(self.folder / "ws"),
        )

    def run(self, rows: pa.Table, *, job=None, budget_usd=1.0, account="here"):
        """Return rows and failures, both conforming."""
        outcomes = list(
            spoken_rows(
                rows,
                job=job or self.job,
                open_ledger=lambda: Ledger(self.place, account=account),
                budget_usd=budget_usd,
            )
        )
        made = [row for outcome in outcomes for row in conform(outcome.rows, "samples").to_pylist()]
        failed = [row for outcome in outcomes for row in conform(outcome.failures, "failures").to_pylist()]
        return sorted(made, key=lambda row: row["sample_id"]), {row["row_id"]: row for row in failed}

    def owed_usd(self) -> float:
        with Ledger(self.place, account="here") as ledger:
            return ledger.owed_usd()


@pytest.fixture
def server():
    with serving(PRICED) as serving_one:
        yield serving_one


@pytest.fixture
def bench(tmp_path, server):
    return Bench(tmp_path, server)


def spoken(*texts: str, **changes) -> pa.Table:
    return batch(*texts, **{"voice": "nova"} | changes)


def test_a_row_says_who_spoke_and_its_clip_is_standard(bench):
    """As any engine's row does; the version is the model that the server names."""
    made, failed = bench.run(spoken(*TEXTS))
    assert not failed
    first = made[0]
    assert (first["sample_id"], first["prompt_id"], first["system"], first["engine"]) == ("s0", "p0", "far", "openai_speech")
    assert (first["model"], first["voice"], first["engine_version"]) == ("gpt-4o-mini-tts", "nova", "tts-of-today")
    assert first["license"] == "LicenseRef-OpenAI-Services-Agreement"
    assert json.loads(first["params"])["voice"] == "nova"
    assert (first["native_sample_rate_hz"], first["sample_rate_hz"]) == (24000, 16000)
    samples, rate = BlobStore(Workspace(bench.job.workspace_url)).waveform(first["audio_id"])
    assert len(samples) / rate == first["duration_s"]
    assert first["loudness_lufs"] == pytest.approx(AudioFormat().loudness_lufs, abs=0.1)


def test_what_is_answered_is_never_asked_again(bench):
    """Not in a second run, not for another audio format, not for another account, not in another workspace with that ledger."""
    made, _ = bench.run(spoken(*TEXTS))
    assert bench.run(spoken(*TEXTS))[0] == made
    louder = replace(bench.job, audio=AudioFormat(loudness_lufs=-30.0))
    assert bench.run(spoken(*TEXTS), job=louder)[0][0]["audio_id"] != made[0]["audio_id"]
    elsewhere = replace(bench.job, workspace_url=str(bench.folder / "other"))
    assert bench.run(spoken(*TEXTS), job=elsewhere, account="there", budget_usd=None)[0] == made
    assert len(bench.server.bodies) == 2
    assert bench.owed_usd() >= bench.server.bill_usd > 0
    balanced(bench.place)


def test_other_words_voices_and_parameters_are_other_requests(bench):
    """And equal ones in two rows are one."""
    bench.run(spoken(TEXTS[0], TEXTS[0], TEXTS[1]))
    bench.run(spoken(TEXTS[0], voice="onyx"))
    bench.run(spoken(TEXTS[0]), job=bench.job_of(speed=1.2))
    bench.run(spoken(TEXTS[0]), job=bench.job_of(response_format="flac"))
    bench.run(spoken(TEXTS[0]), job=bench.job_of(concurrency=2, timeout_s=5))
    assert len(bench.server.bodies) == 5


def test_the_audio_is_in_the_ledger_before_it_is_used(bench, monkeypatch):
    """A process that dies while it makes the clip has lost nothing: the next one makes it from the ledger."""
    monkeypatch.setattr("synth.service_rendering.sample_row", lambda *_args, **_more: pytest.fail("killed"))
    with pytest.raises(pytest.fail.Exception, match="killed"):
        bench.run(spoken(TEXTS[0]))
    [(kept,)] = query(bench.place, "SELECT data FROM ledger_audio")
    assert kept == audio_of(TEXTS[0], "nova", "wav")
    monkeypatch.undo()
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)  # reading needs no key
    assert len(bench.run(spoken(TEXTS[0]), budget_usd=None)[0]) == 1
    assert len(bench.server.bodies) == 1


def test_a_lost_answer_is_asked_again_and_stays_booked(tmp_path):
    """The server billed it twice; so did we."""
    with serving(replace(PRICED, faults={"drop_after": 0.4}, seed=5)) as server:
        bench = Bench(tmp_path, server)
        made, failed = bench.run(
            spoken(*(f"Sentence {n}, which is spoken." for n in range(20))), job=bench.job_of(max_attempts=9)
        )
        assert len(made) == 20
        assert not failed
        assert len(server.bodies) > 20
        assert bench.owed_usd() >= server.bill_usd


def test_requests_that_cannot_be_served_fail_before_anything_is_asked(bench):
    """For the reasons of any engine."""
    rows = pa.concat_tables(
        [
            spoken("", "x" * 200),
            spoken("Bonjour.", language="tlh").set_column(0, "row_id", [["s8"]]),
            spoken("Hello.", voice="nobody").set_column(0, "row_id", [["s9"]]),
        ]
    )
    made, failed = bench.run(rows, job=bench.job_of(max_characters=100))
    assert not made
    assert {row_id: row["reason"] for row_id, row in failed.items()} == {
        "s0": "empty_text",
        "s1": "text_too_long",
        "s8": "unsupported_language",
        "s9": "unknown_voice",
    }
    assert all(row["message"].startswith("system far, voice ") for row in failed.values())
    assert not bench.server.bodies


def test_control_syntax_does_not_reach_the_service(bench):
    """Brackets are stage directions to some models; the words in them are kept."""
    bench.run(spoken("Hello [whispers] world [pause:3s], good night."))
    assert bench.server.bodies[0]["input"] == "Hello whispers world pause:3s , good night."


def test_a_refused_request_is_a_failure_and_the_others_go_on(bench):
    """With the service's own words."""
    bad = error(400, "content_policy_violation", "This text is not spoken.")
    bench.server.script = lambda _number, body: bad if "birch" in body["input"] else None
    made, failed = bench.run(spoken(*TEXTS))
    assert [row["sample_id"] for row in made] == ["s1"]
    assert failed["s0"]["reason"] == "blocked"
    assert failed["s0"]["message"] == "system far, voice nova: HTTP 400: This text is not spoken."


def test_an_insane_clip_is_a_failure_that_is_not_bought_again(bench):
    """It is in the ledger: checks that know better read it for nothing."""
    bench.server.script = lambda _number, _body: Sent(body=audio_of("x", "nova", "wav"), kind="audio/wav")
    for _ in range(2):
        made, failed = bench.run(spoken("A much longer sentence than the sound that comes back for it, by far."))
        assert not made
        assert failed["s0"]["reason"] == "too_short"
    assert len(bench.server.bodies) == 1


def test_another_rate_than_the_recipe_says_is_a_failure_until_it_says_so(tmp_path):
    """The clips that were paid for are read again."""
    with serving(replace(PRICED, speech_rate_hz=22050)) as server:
        bench = Bench(tmp_path, server)
        _, failed = bench.run(spoken(TEXTS[0]))
        assert failed["s0"]["reason"] == "wrong_rate"
        made, _ = bench.run(spoken(TEXTS[0]), job=bench.job_of(sample_rate_hz=22050))
        assert made[0]["native_sample_rate_hz"] == 22050
        assert len(server.bodies) == 1


def test_the_budget_stops_it_and_what_was_bought_stays(bench):
    """The highest price of a request counts while it is under way."""
    with pytest.raises(BudgetExceeded, match=r"engine 'openai_speech': .* of the budget of "):
        bench.run(
            spoken(*(f"Sentence {n}, which is spoken." for n in range(30))), budget_usd=0.02, job=bench.job_of(concurrency=2)
        )
    bought = len(bench.server.bodies)
    assert 0 < bought < 30
    assert bench.server.bill_usd <= bench.owed_usd() <= 0.02
    with pytest.raises(BudgetExceeded, match="set `budget_usd` in the recipe"):
        bench.run(spoken("Something else, which is new."), budget_usd=None)
    assert len(bench.server.bodies) == bought


def test_a_model_that_the_recipe_does_not_demand_stops_it(bench):
    """Before more is bought of it; the version that is demanded is that of the reply."""
    with pytest.raises(SetupError, match=r"system far: 'tts-of-today' spoke, the recipe demands 'tts-of-tomorrow'"):
        bench.run(spoken(TEXTS[0]), job=replace(bench.job, version="tts-of-tomorrow"))
    made, _ = bench.run(spoken(TEXTS[0]), job=replace(bench.job, version="tts-of-today"))
    assert len(made) == len(bench.server.bodies) == 1


def test_lost_audio_is_a_failure_that_a_restored_ledger_ends(bench):
    """It is told, and never silently bought again."""
    bench.run(spoken(TEXTS[0]))
    query(bench.place, "UPDATE ledger_audio SET sha256 = 'x' || sha256")
    _, failed = bench.run(spoken(TEXTS[0]))
    assert failed["s0"]["reason"] == "damaged_audio"
    assert "restore it from a backup" in failed["s0"]["message"]
    query(bench.place, "UPDATE ledger_audio SET sha256 = substr(sha256, 2)")
    assert bench.run(spoken(TEXTS[0]))[0]
    assert len(bench.server.bodies) == 1


def test_a_refused_key_stops_everything(bench):
    """Without a failure for each of a million rows."""
    bench.server.script = lambda _number, _body: error(401, "invalid_api_key", "Incorrect API key provided")
    with pytest.raises(SetupError, match=r"engine 'openai_speech': .*check the key in OPENAI_API_KEY"):
        bench.run(spoken(*TEXTS))
