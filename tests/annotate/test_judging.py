"""From requests to judgments: what is asked, what is kept, what fails."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pytest

from annotate.inquiry import Inquiry, judgment_ids
from annotate.judge import Answer, JudgeRequest, Refusal, Reply
from annotate.judging import judge_pairs
from annotate.ledger import Ledger
from annotate.scorecard import Assessment, compose
from annotate.tasks.task1 import DIMENSIONS, PLUGIN
from contracts.errors import BudgetExceeded, DataError
from contracts.ids import digest, row_id
from contracts.jobs import Outcome
from contracts.schemas import conform
from tests.annotate.conftest import request_table

TONES = ["r" * 32, "a" * 32, "b" * 32]


def card(a: float, b: float) -> str:
    """Return a reply with these scores on every dimension."""
    speeches = [
        Assessment(scores={d.name: score for d in DIMENSIONS}, explanations={d.name: "heard" for d in DIMENSIONS})
        for score in (a, b)
    ]
    return compose(DIMENSIONS, *speeches, "So it is. Indeed.")


@dataclass(frozen=True, kw_only=True)
class Scripted:
    """Answers by a function of the request, in reverse order, a few at a time."""

    script: Callable[[JudgeRequest], Reply | Refusal]
    facts: tuple[str, ...] = ()
    repeatable: bool = False
    price_usd: float = 0.0
    temperature: float = 0.0
    model: str = "m-1"
    name: str = "scripted"
    version: str = "7"
    asked: list[JudgeRequest] = field(default_factory=list)

    def params(self):
        return {"temperature": self.temperature}

    def missing(self) -> str | None:
        return None

    def estimate_usd(self, prompt: str, audio_s: float) -> float:
        return self.price_usd

    def ask(self, requests: Sequence[JudgeRequest], *, clips, sending) -> Iterator[Sequence[Answer]]:
        waiting = list(requests)[::-1]
        while waiting:
            some, waiting = waiting[:3], waiting[3:]
            for request in some:
                sending(request.key, self.price_usd)
                self.asked.append(request)
            yield [(request.key, self.script(request)) for request in some]


def judged(table: pa.Table, judge, ledger: Ledger, **options) -> tuple[list[dict], list[dict]]:
    outcomes: list[Outcome] = list(judge_pairs(table, task=PLUGIN, judge=judge, ledger=ledger, **options))
    for outcome in outcomes:
        conform(outcome.rows, "judgments")
        conform(outcome.failures, "failures")
    return [row for o in outcomes for row in o.rows.to_pylist()], [row for o in outcomes for row in o.failures.to_pylist()]


def test_replies_become_rows_in_the_order_of_the_requests(ledger: Ledger):
    """Answers arrive in any order and are matched by key."""
    texts = [f"text {number}" for number in range(10)]
    judge = Scripted(
        script=lambda r: Reply(
            text=card(9, texts.index(r.prompt.split("<reference_text>\n")[1].split("\n")[0]) / 2),
            model_served="m-1-001",
            input_tokens=10,
            output_tokens=20,
        )
    )
    rows, failures = judged(request_table(TONES, texts), judge, ledger, batch_size=4)
    assert failures == []
    assert [row["pair_id"] for row in rows] == [f"p{number}" for number in range(10)]
    assert [row["total_b"] for row in rows] == [2.0 * number for number in range(10)]
    row = rows[3]
    assert dict(row["scores_a"]) == {dimension.name: 9.0 for dimension in DIMENSIONS}
    assert (row["verdict"], row["total_a"], row["task"], row["judge"], row["judge_version"]) == (
        "a",
        36.0,
        "task1",
        "scripted",
        "7",
    )
    assert (row["model"], row["model_served"], row["prompt_version"]) == ("m-1", "m-1-001", PLUGIN.prompt_version)
    assert (row["input_tokens"], row["output_tokens"]) == (10, 20)
    assert row["completion"] == card(9, 1.5)


def test_a_second_run_asks_nothing(ledger: Ledger):
    """What the ledger holds is read, never bought again, and gives the same rows."""
    judge = Scripted(script=lambda r: Reply(text=card(3, 4)))
    table = request_table(TONES, ["one", "two", "three"])
    first = judged(table, judge, ledger)
    assert len(judge.asked) == 3
    assert judged(table, judge, ledger) == first
    assert len(judge.asked) == 3


def test_a_reply_is_durable_before_the_next_is_taken(tmp_path):
    """When the judge goes on, another connection already reads all that it said before."""
    with Ledger(tmp_path / "l") as ledger, Ledger(tmp_path / "l") as witness:
        said: list[str] = []

        def script(request: JudgeRequest) -> Reply:
            if len(said) % 3 == 0:
                assert witness.missing(said) == []
            said.append(request.key)
            return Reply(text=card(3, 4))

        judged(request_table(TONES, [f"t{n}" for n in range(9)]), Scripted(script=script), ledger)
        assert len(said) == 9


def test_an_unparsable_reply_is_kept_and_repaired_once(ledger: Ledger):
    """The second request names the error; both replies are in the ledger, both are billed."""
    judge = Scripted(script=lambda r: Reply(text=card(3, 4) if r.repeat else "I like A.", input_tokens=10, output_tokens=5))
    rows, failures = judged(request_table(TONES, ["one"]), judge, ledger)
    assert failures == []
    assert (rows[0]["verdict"], rows[0]["input_tokens"], rows[0]["output_tokens"]) == ("b", 20, 10)
    assert [request.repeat for request in judge.asked] == [0, 1]
    assert "the reply has 0 \u2039think\u203a" in judge.asked[1].prompt
    assert judge.asked[1].audios == judge.asked[0].audios
    assert [line["text"] for line in ledger.story(rows[0]["judgment_id"])] == ["I like A.", card(3, 4)]


def test_a_reply_that_stays_unparsable_is_a_failure(ledger: Ledger):
    """One repair, then a failure row with the reason; no default score."""
    judge = Scripted(script=lambda r: Reply(text=card(3, 4).replace("score=3", "score=33")))
    rows, failures = judged(request_table(TONES, ["one"]), judge, ledger)
    assert rows == []
    assert [(f["reason"], f["stage"], f["subject_id"]) for f in failures] == [("unparsable_reply", "judgments", "p0")]
    assert "score_range" in failures[0]["message"]
    assert len(judge.asked) == 2
    judged(request_table(TONES, ["one"]), judge, ledger)
    assert len(judge.asked) == 2  # both replies were paid for and are parsed again for nothing


def test_equal_totals_are_asked_once_more(ledger: Ledger):
    """SPEC U1: a tie is asked again, and a second reply that differs decides."""
    judge = Scripted(script=lambda r: Reply(text=card(5, 4) if r.repeat else card(5, 5)))
    rows, _ = judged(request_table(TONES, ["one"]), judge, ledger)
    assert (rows[0]["verdict"], rows[0]["total_a"], len(judge.asked)) == ("a", 20.0, 2)
    assert "both totals are 20" in judge.asked[1].prompt


@pytest.mark.parametrize("second", [Reply(text=card(6, 6)), Reply(text="nothing"), Refusal(reason="blocked", message="no")])
def test_a_lasting_tie_has_no_verdict(ledger: Ledger, second):
    """Tied twice, or tied and then nothing: a row without verdict for the filter to drop."""
    judge = Scripted(script=lambda r: second if r.repeat else Reply(text=card(5, 5)))
    rows, failures = judged(request_table(TONES, ["one"]), judge, ledger)
    assert (failures, rows[0]["verdict"], len(judge.asked)) == ([], None, 2)
    assert rows[0]["total_a"] == rows[0]["total_b"]


@pytest.mark.parametrize("reply", [card(5, 5), "nonsense"])
def test_a_judge_that_repeats_itself_is_asked_once(ledger: Ledger, reply: str):
    """Asking a rule again is pointless."""
    judge = Scripted(script=lambda r: Reply(text=reply), repeatable=True)
    rows, failures = judged(request_table(TONES, ["one"]), judge, ledger)
    assert (len(judge.asked), len(rows) + len(failures)) == (1, 1)


def test_refusals_and_silent_rows_are_failures_with_their_reason(ledger: Ledger):
    """Every request ends in exactly one of the two tables."""
    judge = Scripted(
        script=lambda r: Refusal(reason="blocked", message="SAFETY") if "bad" in r.prompt else Reply(text=card(1, 2))
    )
    table = request_table(TONES, ["good", "bad thing", "mute"])
    table = table.set_column(
        table.column_names.index("reference_audio_id"), "reference_audio_id", pa.array([TONES[0], TONES[0], None])
    )
    rows, failures = judged(table, judge, ledger)
    assert [row["pair_id"] for row in rows] == ["p0"]
    assert [(f["subject_id"], f["reason"]) for f in failures] == [("p1", "blocked"), ("p2", "missing_audio")]
    assert "reference_audio_id" in failures[1]["message"]
    assert len(judge.asked) == 2
    ids = judgment_ids(table, task=PLUGIN, judge=judge).to_pylist()
    assert [rows[0]["judgment_id"], failures[0]["row_id"], failures[1]["row_id"]] == ids


def test_failed_requests_may_be_asked_again(ledger: Ledger):
    """A refusal is no reply: a later run asks anew."""
    table = request_table(TONES, ["one"])
    judged(table, Scripted(script=lambda r: Refusal(reason="server_error", message="500")), ledger)
    rows, failures = judged(table, Scripted(script=lambda r: Reply(text=card(1, 2))), ledger)
    assert (len(rows), failures) == (1, [])


def test_ids_depend_on_all_that_matters_and_nothing_else():
    """Text, clips, pair, model, parameters and facts change the id; order, batch and price do not."""
    table = request_table(TONES, ["one", "two"], wer_a=[0.1, 0.2], wer_b=[0.3, 0.4])
    judge = Scripted(script=lambda r: Reply(text=""))

    def ids(requests=table, **changes):
        return judgment_ids(requests, task=PLUGIN, judge=Scripted(script=judge.script, **changes)).to_pylist()

    plain = ids()
    assert len(set(plain)) == 2
    assert ids(table.take([1, 0])) == plain[::-1]
    assert ids(price_usd=3.0) == plain
    assert ids(version="8") == plain  # another client version is no reason to buy again
    different = [
        ids(temperature=0.5),
        ids(model="m-2"),
        ids(name="other"),
        ids(facts=("wer",)),
        ids(request_table(TONES[::-1], ["one", "two"])),
        ids(request_table(TONES, ["One", "Two"])),
        ids(table.set_column(0, "pair_id", pa.array(["p8", "p9"]))),
    ]
    assert len({tuple(found) for found in [plain, *different]}) == 8
    rewer = table.set_column(table.column_names.index("wer_b"), "wer_b", pa.array([0.3, None], pa.float64()))
    assert ids(rewer) == plain
    assert [x == y for x, y in zip(ids(rewer, facts=("wer",)), ids(facts=("wer",)), strict=True)] == [True, False]


def test_ids_are_the_project_s_row_ids():
    """The fast path gives what contracts.ids gives, for null, integer-like and long floats and for any script."""
    table = request_table(TONES, ['one \u4f60\u597d "quoted"', "two"], wer_a=[0.1 + 0.2, 1.0], wer_b=[None, 1e-7])
    judge = Scripted(script=lambda r: Reply(text=""), facts=("wer",))
    for case, facts in zip(Inquiry.of(PLUGIN, judge).cases(table), [(0.1 + 0.2, None), (1.0, 1e-7)], strict=True):
        key = row_id("request", Inquiry.of(PLUGIN, judge).identity, digest(case.request.prompt), *TONES, *facts, 0)
        assert (case.request.key, case.judgment_id) == (key, row_id("judgment", case.pair_id, key))


def test_the_same_sound_is_bought_once(ledger: Ledger):
    """Two pairs with the same clips and text are one question, and two rows."""
    table = request_table(TONES, ["one", "one"])
    judge = Scripted(script=lambda r: Reply(text=card(1, 2)))
    rows, _ = judged(table, judge, ledger)
    assert len(judge.asked) == 1
    assert [row["pair_id"] for row in rows] == ["p0", "p1"]
    assert rows[0]["judgment_id"] != rows[1]["judgment_id"]


def test_a_missing_column_is_named(ledger: Ledger):
    """A judge that needs facts says which column its requests lack."""
    judge = Scripted(script=lambda r: Reply(text=""), facts=("wer",))
    with pytest.raises(DataError, match="wer_a, wer_b"):
        judged(request_table(TONES, ["one"]), judge, ledger)


def test_the_budget_stops_before_the_call_that_could_pass_it(ledger: Ledger):
    """Ten calls of ten cents under a budget of 35 cents: three are made and kept; raising the budget goes on from there."""
    judge = Scripted(script=lambda r: Reply(text=card(1, 2), cost_usd=0.1), price_usd=0.1)
    table = request_table(TONES, [f"t{n}" for n in range(10)])
    with pytest.raises(BudgetExceeded, match=r"raise judge\.budget_usd"):
        judged(table, judge, ledger, budget_usd=0.35)
    assert len(judge.asked) == 3
    rows, _ = judged(table, judge, ledger, budget_usd=1.05)
    assert (len(rows), len(judge.asked)) == (10, 10)
    assert sum(line.cost_usd for line in ledger.spend()) == pytest.approx(1.0)


def test_progress_counts_every_answer(ledger: Ledger):
    """The callback adds up to the number of requests, asked or read."""
    counts: list[int] = []
    judge = Scripted(script=lambda r: Reply(text=card(1, 2)))
    table = request_table(TONES, [f"t{n}" for n in range(10)])
    judged(table.slice(0, 4), judge, ledger)
    judged(table, judge, ledger, progress=counts.append, batch_size=5)
    assert sum(counts) == 10
    assert max(counts) <= 5
