"""From requests to judgments: what is asked, what is kept, what fails."""

import dataclasses
import functools
import json

import pyarrow as pa
import pytest

from annotate.models.inquiry import Inquiry, played, row_ids
from annotate.models.judge import Pace
from annotate.models.judging import judge_rows
from annotate.models.ledger.ledger import Ledger
from annotate.models.parse.scorecard import SpeechAssessment
from annotate.models.request import Refusal, Reply
from annotate.models.tasks.task1 import DIMENSIONS, PLUGIN, compose
from contracts import plugins
from contracts.conformance import conform
from contracts.errors import BudgetExceeded, DataError
from contracts.ids import digest, row_id
from tests.annotate.conftest import request_table
from tests.annotate.scripted import Scripted

TONES = ["r" * 32, "a" * 32, "b" * 32]


def card(a: float, b: float) -> str:
    """Return a reply with these scores on every dimension."""
    speeches = [
        SpeechAssessment(scores={d.name: score for d in DIMENSIONS}, explanations={d.name: "heard" for d in DIMENSIONS})
        for score in (a, b)
    ]
    return compose(*speeches, "So it is. Indeed.")


@pytest.fixture
def place(tmp_path):
    """Where the ledger of a test is."""
    return tmp_path / "ledger.sqlite"


def judged(table: pa.Table, judge, place, *, task=PLUGIN, **options) -> tuple[list[dict], list[dict]]:
    """Judge and return rows and failures in the order of the requests."""
    opener = functools.partial(Ledger, place)
    outcomes = list(judge_rows(table, task=task, judge=judge, stage="judgments", open_ledger=opener, **options))
    ids = row_ids(table, task=task, judge=judge).to_pylist()
    for outcome in outcomes:
        conform(outcome.rows, "judgments" if task.subject == "pairs" else "writings")
        conform(outcome.failures, "failures")
    key = "judgment_id" if task.subject == "pairs" else "writing_id"
    rows = sorted((row for o in outcomes for row in o.rows.to_pylist()), key=lambda row: ids.index(row[key]))
    return rows, sorted((row for o in outcomes for row in o.failures.to_pylist()), key=lambda row: ids.index(row["row_id"]))


def test_replies_become_rows_in_the_order_of_the_requests(place):
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
    rows, failures = judged(request_table(TONES, texts), judge, place)
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
    assert (row["model"], row["model_served"], row["prompt_version"]) == ("m-1", "m-1-001", PLUGIN.prompt_version())
    assert (row["input_tokens"], row["output_tokens"]) == (10, 20)
    assert row["completion"] == card(9, 1.5)


def test_a_second_run_asks_nothing(place):
    """What the ledger holds is read, never bought again, and gives the same rows."""
    judge = Scripted(script=lambda r: Reply(text=card(3, 4)))
    table = request_table(TONES, ["one", "two", "three"])
    first = judged(table, judge, place)
    assert len(judge.asked) == 3
    assert judged(table, judge, place) == first
    assert len(judge.asked) == 3


def test_an_unparsable_reply_is_kept_and_repaired_once(place):
    """The second request names the error; both replies are in the ledger, both are billed."""
    judge = Scripted(script=lambda r: Reply(text=card(3, 4) if r.repeat else "I like A.", input_tokens=10, output_tokens=5))
    rows, failures = judged(request_table(TONES, ["one"]), judge, place)
    assert failures == []
    assert (rows[0]["verdict"], rows[0]["input_tokens"], rows[0]["output_tokens"]) == ("b", 20, 10)
    assert [request.repeat for request in judge.asked] == [0, 1]
    assert "the reply has 0 \u2039think\u203a" in judge.asked[1].prompt
    assert judge.asked[1].audios == judge.asked[0].audios
    with Ledger(place) as ledger:
        assert [line["text"] for line in ledger.history(rows[0]["judgment_id"])] == ["I like A.", card(3, 4)]


def test_a_reply_that_stays_unparsable_is_a_failure(place):
    """One repair, then a failure row with the reason; no default score."""
    judge = Scripted(script=lambda r: Reply(text=card(3, 4).replace("score=3", "score=33")))
    rows, failures = judged(request_table(TONES, ["one"]), judge, place)
    assert rows == []
    assert [(f["reason"], f["stage"], f["subject_id"]) for f in failures] == [("unparsable_reply", "judgments", "p0")]
    assert "score_range" in failures[0]["message"]
    assert len(judge.asked) == 2
    judged(request_table(TONES, ["one"]), judge, place)
    assert len(judge.asked) == 2  # both replies were paid for and are parsed again for nothing


def test_a_wrong_sum_is_kept_and_marked(place):
    """Nothing is asked again: the scores are all that counts."""
    judge = Scripted(script=lambda _: Reply(text=card(9, 4).replace("= 36", "= 37")))
    rows, failures = judged(request_table(TONES, ["one"]), judge, place)
    assert (failures, len(judge.asked)) == ([], 1)
    assert (rows[0]["total_a"], rows[0]["verdict"], rows[0]["marks"]) == (36.0, "a", ["total_recomputed"])
    assert rows[0]["completion"] == card(9, 4)


def test_an_answer_against_the_sums_is_asked_once_more_and_then_refused(place):
    """Also where the sum that the judge stated would have made it right."""
    wrong = card(3, 4).replace("= 12", "= 21").replace("Speech B is", "Speech A is")
    judge = Scripted(script=lambda _: Reply(text=wrong))
    rows, failures = judged(request_table(TONES, ["one"]), judge, place)
    assert (rows, len(judge.asked)) == ([], 2)
    assert "answer_contradicts_totals" in failures[0]["message"]
    assert "the total of Speech A is 12 and that of Speech B 16" in judge.asked[1].prompt


@pytest.mark.parametrize(
    ("second", "marks", "verdict", "completion"),
    [
        (card(3, 4), None, "b", card(3, 4)),
        (card(3, 5).replace(" Indeed.", ""), ["sentence_count"], "b", card(3, 5).replace(" Indeed.", "")),
        ("I like B.", ["sentence_count"], "b", card(2, 4).replace(" Indeed.", "")),
        (card(4, 4), ["sentence_count"], "b", card(2, 4).replace(" Indeed.", "")),
    ],
    ids=["mended", "again too few", "unreadable", "tied"],
)
def test_a_summary_of_one_sentence_is_asked_once_more_and_then_accepted(place, second, marks, verdict, completion):
    """Too few sentences are no reason to lose a judgment: it is marked. A reply that can be used less does not replace it."""
    judge = Scripted(script=lambda r: Reply(text=second if r.repeat else card(2, 4).replace(" Indeed.", "")))
    rows, failures = judged(request_table(TONES, ["one"]), judge, place)
    assert (failures, len(judge.asked)) == ([], 2)
    assert "the summary has 1 sentences, it must have 2 to 4" in judge.asked[1].prompt
    assert (rows[0]["marks"], rows[0]["verdict"], rows[0]["completion"]) == (marks, verdict, completion)


def test_equal_totals_are_asked_once_more(place):
    """A tie is asked again, and a second reply that differs decides."""
    judge = Scripted(script=lambda r: Reply(text=card(5, 4) if r.repeat else card(5, 5)))
    rows, _ = judged(request_table(TONES, ["one"]), judge, place)
    assert (rows[0]["verdict"], rows[0]["total_a"], len(judge.asked)) == ("a", 20.0, 2)
    assert "both totals are 20" in judge.asked[1].prompt


@pytest.mark.parametrize("second", [Reply(text=card(6, 6)), Reply(text="nothing"), Refusal(reason="blocked", message="no")])
def test_a_lasting_tie_has_no_verdict(place, second):
    """Tied twice, or tied and then nothing: a row without verdict for the filter to drop."""
    judge = Scripted(script=lambda r: second if r.repeat else Reply(text=card(5, 5)))
    rows, failures = judged(request_table(TONES, ["one"]), judge, place)
    assert (failures, rows[0]["verdict"], len(judge.asked)) == ([], None, 2)
    assert rows[0]["total_a"] == rows[0]["total_b"]


@pytest.mark.parametrize("reply", [card(5, 5), "nonsense"])
def test_a_judge_that_repeats_itself_is_asked_once(place, reply: str):
    """Asking a rule again is pointless."""
    judge = Scripted(script=lambda r: Reply(text=reply), repeatable=True)
    rows, failures = judged(request_table(TONES, ["one"]), judge, place)
    assert (len(judge.asked), len(rows) + len(failures)) == (1, 1)


def test_refusals_and_silent_rows_are_failures_with_their_reason(place):
    """Every request ends in exactly one of the two tables."""
    judge = Scripted(
        script=lambda r: Refusal(reason="blocked", message="SAFETY") if "bad" in r.prompt else Reply(text=card(1, 2))
    )
    table = request_table(TONES, ["good", "bad thing", "mute"])
    table = table.set_column(
        table.column_names.index("reference_audio_id"), "reference_audio_id", pa.array([TONES[0], TONES[0], None])
    )
    rows, failures = judged(table, judge, place)
    assert [row["pair_id"] for row in rows] == ["p0"]
    assert [(f["subject_id"], f["reason"]) for f in failures] == [("p1", "blocked"), ("p2", "missing_audio")]
    assert "reference_audio_id" in failures[1]["message"]
    assert len(judge.asked) == 2
    ids = row_ids(table, task=PLUGIN, judge=judge).to_pylist()
    assert [rows[0]["judgment_id"], failures[0]["row_id"], failures[1]["row_id"]] == ids


def test_what_is_no_text_in_messages_and_names_does_not_break_the_tables(place):
    """A paid reply would otherwise stop every run: JSON can spell what UTF-8 cannot."""
    replies = {
        "t0": Reply(text=card(9, 1), model_served="m \ud800\x00"),
        "t1": Refusal(reason="blocked", message="no \udfff: \x00 sorry"),
    }
    judge = Scripted(script=lambda r: replies["t0" if "t0" in r.prompt else "t1"])
    for _ in range(2):  # the second time from the ledger, as far as it was answered
        rows, failures = judged(request_table(TONES, ["t0", "t1"]), judge, place)
        assert [row["model_served"].replace("\ufffd", "") for row in rows] == ["m \x00"]
        assert [row["message"].replace("\ufffd", "") for row in failures] == ["no : \x00 sorry"]


def test_failed_requests_may_be_asked_again(place):
    """A refusal is no reply: a later run asks anew."""
    table = request_table(TONES, ["one"])
    judged(table, Scripted(script=lambda r: Refusal(reason="server_error", message="500")), place)
    rows, failures = judged(table, Scripted(script=lambda r: Reply(text=card(1, 2))), place)
    assert (len(rows), failures) == (1, [])


def test_ids_depend_on_all_that_matters_and_nothing_else():
    """Text, clips, pair, model, parameters and facts change the id; order, batch and price do not."""
    table = request_table(TONES, ["one", "two"], wer_a=[0.1, 0.2], wer_b=[0.3, 0.4])
    judge = Scripted(script=lambda r: Reply(text=""))

    def ids(requests=table, **changes):
        return row_ids(requests, task=PLUGIN, judge=Scripted(script=judge.script, **changes)).to_pylist()

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
        ids(table.set_column(0, "subject_id", pa.array(["p8", "p9"]))),
    ]
    assert len({tuple(found) for found in [plain, *different]}) == 8
    rewer = table.set_column(table.column_names.index("wer_b"), "wer_b", pa.array([0.3, None], pa.float64()))
    assert ids(rewer) == plain
    assert [x == y for x, y in zip(ids(rewer, facts=("wer",)), ids(facts=("wer",)), strict=True)] == [True, False]


def test_ids_are_the_project_s_row_ids():
    """The fast path gives what contracts.ids gives, for null, integer-like and long floats and for any script."""
    table = request_table(TONES, ['one \u4f60\u597d "quoted"', "two"], wer_a=[0.1 + 0.2, 1.0], wer_b=[None, 1e-7])
    inquiry = Inquiry.of(PLUGIN, Scripted(script=lambda r: Reply(text=""), facts=("wer",)))
    for case, facts in zip(inquiry.cases(table), [(0.1 + 0.2, None), (1.0, 1e-7)], strict=True):
        literals = [
            "request",
            inquiry._parts,
            PLUGIN.prompt_version("en"),
            digest(case.request.prompt),
            3,
            *TONES,
            *facts,
            0,
            0,
        ]
        assert case.request.key == row_id(*literals)
        assert case.row_id == row_id("judgment", case.subject_id, case.request.key, "ab")


def test_the_same_sound_is_bought_once(place):
    """Two pairs with the same clips and text are one question, and two rows."""
    table = request_table(TONES, ["one", "one"])
    judge = Scripted(script=lambda r: Reply(text=card(1, 2)))
    rows, _ = judged(table, judge, place)
    assert len(judge.asked) == 1
    assert [row["pair_id"] for row in rows] == ["p0", "p1"]
    assert rows[0]["judgment_id"] != rows[1]["judgment_id"]


def test_a_missing_column_is_named(place):
    """A judge that needs facts says which column its requests lack."""
    judge = Scripted(script=lambda r: Reply(text=""), facts=("wer",))
    with pytest.raises(DataError, match="wer_a, wer_b"):
        judged(request_table(TONES, ["one"]), judge, place)


def test_the_budget_stops_before_the_call_that_could_pass_it(place):
    """Ten calls of ten cents under a budget of 35 cents: three are made and kept; raising the budget goes on from there."""
    judge = Scripted(script=lambda r: Reply(text=card(1, 2), cost_usd=0.1), price_usd=0.1, pace=Pace(concurrency=1))
    table = request_table(TONES, [f"t{n}" for n in range(10)])
    with pytest.raises(BudgetExceeded, match="raise budget_usd"):
        judged(table, judge, place, budget_usd=0.35)
    assert len(judge.asked) == 3
    rows, _ = judged(table, judge, place, budget_usd=1.05)
    assert (len(rows), len(judge.asked)) == (10, 10)
    with Ledger(place) as ledger:
        assert sum(line.cost_usd for line in ledger.spend()) == pytest.approx(1.0)


def test_an_exchanged_pair_is_turned_back(place):
    """Played the other way round, the same preference for the first speech is a preference for the other one."""
    table = played(request_table(TONES, ["one"]), orders="both", votes=2)
    assert list(zip(table["order"].to_pylist(), table["vote"].to_pylist(), strict=True)) == [
        ("ab", 0), ("ba", 0), ("ab", 1), ("ba", 1)
    ]  # fmt: skip
    judge = Scripted(script=lambda r: Reply(text=card(7, 2)))
    rows, _ = judged(table, judge, place)
    assert len({request.key for request in judge.asked}) == 4, "each order and each vote is a question of its own"
    assert [[audio.audio_id for audio in r.audios[1:]] for r in sorted(judge.asked, key=lambda r: r.audios[1].audio_id)] == [
        ["a" * 32, "b" * 32], ["a" * 32, "b" * 32], ["b" * 32, "a" * 32], ["b" * 32, "a" * 32]
    ]  # fmt: skip
    told = [(row["order"], row["vote"], row["verdict"], row["total_a"], row["total_b"]) for row in rows]
    assert told == [("ab", 0, "a", 28.0, 8.0), ("ba", 0, "b", 8.0, 28.0), ("ab", 1, "a", 28.0, 8.0), ("ba", 1, "b", 8.0, 28.0)]
    assert dict(rows[1]["scores_b"]) == {dimension.name: 7.0 for dimension in DIMENSIONS}
    assert all(row["completion"] == card(7, 2) for row in rows), "a completion speaks of the speeches as they were played"


def test_a_clip_per_turn_is_heard_in_order(place):
    """A list column gives one clip per item; one without a clip is no question."""
    task = plugins.configure("task", "task4")
    table = request_table(TONES, ["one", "two"]).append_column(
        "history_audio_ids", pa.array([["c" * 32, "d" * 32], None], pa.list_(pa.string()))
    )
    judge = Scripted(script=lambda r: Refusal(reason="blocked", message="no"))
    _, failures = judged(table, judge, place, task=task)
    (asked,) = judge.asked
    assert [audio.audio_id for audio in asked.audios] == ["c" * 32, "d" * 32, TONES[1], TONES[2]]
    assert [audio.label for audio in asked.audios][1].endswith("2")
    assert [failure["reason"] for failure in failures] == ["blocked", "missing_audio"]


def test_what_is_written_becomes_rows(place):
    """A task about prompts gives writings: content as JSON, in the language of its row."""
    task = plugins.configure("task", "scenario")
    table = pa.table(
        {
            "subject_id": ["p0", "p1", "p2"],
            "text": ["I am home.", "\u6211\u56de\u6765\u4e86\u3002", "Where is it?"],
            "language": ["en", "zh", "en"],
            "emotion": ["happy", "sad", None],
        }
    )
    scenes = {
        "en": ("A door opens.", "She came in from the rain and sat down."),
        "zh": ("门开了。", "她从雨中走进来, 慢慢坐下, 没有说话。"),
    }
    said = {
        language: json.dumps(dict(zip(("scenario_description", "paragraph_context"), scene, strict=True)), ensure_ascii=False)
        for language, scene in scenes.items()
    }
    judge = Scripted(script=lambda r: Reply(text=said["zh" if "\u6211" in r.prompt else "en"]))
    rows, failures = judged(table, judge, place, task=task)
    assert [row["subject_id"] for row in rows] == ["p0", "p1"]
    assert json.loads(rows[0]["content"])["scenario_description"] == "A door opens."
    assert [row["prompt_version"] for row in rows] == [task.prompt_version("en"), task.prompt_version("zh")]
    assert rows[0]["prompt_version"] != rows[1]["prompt_version"]
    assert [(failure["subject_id"], failure["reason"]) for failure in failures] == [("p2", "missing_text")]


def test_a_task_that_reads_replies_into_something_else_is_one_line(place):
    """The replies are paid for and stay in the ledger."""
    odd = dataclasses.replace(PLUGIN, parse=lambda text: {"winner": "a"})
    judge = Scripted(script=lambda r: Reply(text="a"))
    with pytest.raises(DataError, match=r"task 'task1': parse\(\) must return Parsed or Written, got dict"):
        judged(request_table(TONES, ["one"]), judge, place, task=odd)


def test_a_reply_is_held_against_what_its_own_request_showed(place):
    """The same words are right about one clip and made up about another; the repair request says what was measured."""
    task = plugins.configure("task", "grounded")
    measured = [f"median F0: {hz} Hz\njitter: 1.20 %" for hz in (182, 210, 95)]
    table = pa.table({"subject_id": ["s0", "s1", "s2"], "features": measured, "ratings": ["naturalness: 4"] * 3})

    def script(request):
        hz = 210 if request.repeat and "210 Hz" in request.prompt else 182
        return Reply(text=json.dumps({"rationale": f"A median F0 of {hz} Hz and a jitter of 1.2 % are ordinary."}))

    judge = Scripted(script=script)
    rows, failures = judged(table, judge, place, task=task)
    assert [(row["subject_id"], "210" in row["completion"]) for row in rows] == [("s0", False), ("s1", True)]
    assert [(one["subject_id"], one["reason"]) for one in failures] == [("s2", "unparsable_reply")]
    assert "number_not_measured: the text says '182 hz" in failures[0]["message"]
    assert "median f0 is 95 hz" in failures[0]["message"].lower()
    repairs = [request.prompt for request in judge.asked if request.repeat]
    assert len(repairs) == 2
    assert all("the text says" in prompt for prompt in repairs)
    judged(table, judge, place, task=task)
    assert len(judge.asked) == 5  # what was paid for is checked again for nothing
