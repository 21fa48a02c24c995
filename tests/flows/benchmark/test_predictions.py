"""Files of predictions: what is read, what counts as unreadable, and what is refused by name."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts import plugins
from contracts.errors import DataError, RecipeError
from flows.benchmark.judge_answers import judged_pairs
from flows.benchmark.predictions import read_predictions
from tests.annotate.good_replies import QUALITY, TASK_3_ZH
from tests.flows.benchmark.small_release import (
    A_BETTER,
    B_BETTER,
    items_of,
    json_lines,
    rated_clips_release,
    rated_pairs_release,
    task1_release,
)

TASK1 = plugins.configure("task", "task1")


@pytest.fixture(scope="module")
def items(tmp_path_factory):
    return items_of(task1_release(tmp_path_factory.mktemp("task1"), 4))


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    scores = [{"noise": 1.0, "overall": 2.0}, {"noise": 3.0, "overall": 4.0}]
    return items_of(rated_clips_release(tmp_path_factory.mktemp("quality"), scores))


def answers(tmp_path, items, rows, task=TASK1):
    return read_predictions(json_lines(tmp_path / "p.jsonl", rows), items, task).to_pylist()


def one_by_one(tmp_path, items, **first):
    """Return the answer to the first item, whose row is given; all others say A."""
    rest = [{"item_id": item, "reply": A_BETTER} for item in items.ids[1:]]
    return answers(tmp_path, items, [{"item_id": items.ids[0], **first}, *rest])[0]


def test_a_raw_reply_is_read_by_the_tasks_own_parser(tmp_path, items):
    found = one_by_one(tmp_path, items, reply=B_BETTER)
    assert (found["reason"], found["verdict"]) == (None, "b")
    assert dict(found["scores_b"])["Text Fidelity & Intelligibility"] == 9.0


@pytest.mark.parametrize("reply", ["", "  \n", None])
def test_an_empty_reply_is_no_answer(tmp_path, items, reply):
    found = one_by_one(tmp_path, items, reply=reply)
    assert (found["reason"], found["verdict"]) == ("empty_reply", None)


def test_a_reply_out_of_format_is_no_answer_and_says_why(tmp_path, items):
    found = one_by_one(tmp_path, items, reply="Speech A is better")
    assert (found["reason"], found["verdict"]) == ("think_block", None)


def test_a_think_block_in_reasoning_content_belongs_to_the_reply(tmp_path, items):
    """Servers take it out of the content; a content with a block of its own stays as it is."""
    thoughts, _, answer = B_BETTER.removeprefix("<think>").partition("</think>")
    assert one_by_one(tmp_path, items, reply=answer, reasoning_content=thoughts)["verdict"] == "b"
    assert one_by_one(tmp_path, items, reply=B_BETTER, reasoning_content="hm")["verdict"] == "b"
    tagged = f"<think>\n{thoughts}\n</think>\n"
    assert one_by_one(tmp_path, items, reply=answer, reasoning_content=tagged)["verdict"] == "b"
    assert one_by_one(tmp_path, items, reply=answer, reasoning_content=None)["reason"] == "think_block"


def test_a_reply_in_chinese_is_read(tmp_path, items):
    rows = [{"item_id": item, "reply": TASK_3_ZH} for item in items.ids]
    found = answers(tmp_path, items, rows, plugins.configure("task", "task3"))
    assert {row["verdict"] for row in found} == {"a"}


def test_what_is_said_of_a_swapped_pair_is_turned_back(tmp_path, items):
    """The clip played first is the stored B."""
    rows = [{"item_id": item, "order": "swapped", "score_a": 10, "score_b": 7} for item in items.ids]
    assert {(row["order"], row["verdict"]) for row in answers(tmp_path, items, rows)} == {("ba", "b")}
    rows = [{"item_id": item, "order": "swapped", "reply": A_BETTER} for item in items.ids]
    found = answers(tmp_path, items, rows)[0]
    assert sum(value for _, value in found["scores_b"]) == 34.5


def test_scores_are_compared_as_numbers(tmp_path, items):
    """As texts, "10" would lose to "7": a defect of published evaluation code."""
    path = tmp_path / "p.csv"
    path.write_text("item_id,score_a,score_b\n" + "".join(f"{item},10,7\n" for item in items.ids), encoding="utf-8-sig")
    assert {row["verdict"] for row in read_predictions(path, items, None).to_pylist()} == {"a"}


def test_equal_scores_and_a_tie_are_no_preference_but_readable(tmp_path, items):
    rows = [{"item_id": item, "score_a": 5, "score_b": 5.0} for item in items.ids]
    assert {(row["reason"], row["verdict"]) for row in answers(tmp_path, items, rows)} == {(None, None)}
    rows = [{"item_id": item, "verdict": "Tie"} for item in items.ids]
    assert {(row["reason"], row["verdict"]) for row in answers(tmp_path, items, rows)} == {(None, None)}
    rows = [{"item_id": item, "verdict": None} for item in items.ids]
    assert {row["reason"] for row in answers(tmp_path, items, rows)} == {"no_answer"}


def test_parquet_and_the_releases_own_id_column(tmp_path, items):
    table = pa.table({"pair_id": items.ids, "verdict": ["A", "b", "a", "B"], "latency_s": [0.5] * 4})
    pq.write_table(table, tmp_path / "p.parquet")
    found = read_predictions(tmp_path / "p.parquet", items, None)
    assert found["verdict"].to_pylist() == ["a", "b", "a", "b"]
    assert found["latency_s"].to_pylist() == [0.5] * 4


def test_votes_in_both_orders_fill_the_whole_array(tmp_path, items):
    rows = [
        {"item_id": item, "order": order, "vote": vote, "verdict": "a"}
        for vote in (1, 0)
        for order in ("swapped", "stored")
        for item in reversed(items.ids)
    ]
    judged = judged_pairs(items, read_predictions(json_lines(tmp_path / "p.jsonl", rows), items, None))
    assert judged.said.shape == (4, 2, 2)
    assert (judged.said[:, 0] == 1).all()
    assert (judged.said[:, 1] == -1).all()


def test_ids_that_are_missing_double_and_unknown_are_named(tmp_path, items):
    first, second, *_ = items.ids
    rows = [{"item_id": item, "verdict": "a"} for item in (first, first, second, "nobody")]
    with pytest.raises(DataError) as error:
        answers(tmp_path, items, rows)
    said = str(error.value)
    assert "1 ids are not in the split (nobody)" in said
    assert f"1 ids have more than one row ({first})" in said
    assert f"2 ids of the split have no row ({', '.join(items.ids[2:])})" in said


def test_many_missing_ids_are_counted_and_a_few_are_named(tmp_path, items):
    with pytest.raises(DataError, match=r"order swapped, vote 0"):
        answers(
            tmp_path,
            items,
            [
                *({"item_id": item, "verdict": "a"} for item in items.ids),
                {"item_id": items.ids[0], "verdict": "a", "order": "swapped"},
            ],
        )


REFUSED = {
    "verdict": ({"verdict": "C"}, r"line 1, verdict: 'C' is none of a, b and tie"),
    "order": ({"verdict": "a", "order": "ba"}, r"line 1, order: 'ba' is none of stored, swapped"),
    "score": ({"score_a": "high", "score_b": 1}, r"line 1, score_a: 'high' is no finite number"),
    "infinite": ({"score_a": 1e999, "score_b": 1}, r"line 1"),
    "truth": ({"score_a": True, "score_b": 1}, r"line 1, score_a: True is no finite number"),
    "vote": ({"verdict": "a", "vote": 0.5}, r"line 1, vote: 0.5 is no whole number"),
    "cost": ({"verdict": "a", "cost_usd": -1}, r"line 1, cost_usd: -1 is below 0"),
    "too long": ({"score_a": 10**400, "score_b": 1}, r"line 1, score_a: 1000.* is no finite number"),
    "long cost": ({"verdict": "a", "cost_usd": 10**400}, r"line 1, cost_usd: 1000.* is no finite number"),
    "long vote": ({"verdict": "a", "vote": 10**400}, r"line 1, vote: 1000.* is no finite number"),
    "beyond": ({"score_a": 1e308, "score_b": 1}, r"line 1, score_a: 1e\+308 is beyond 1e\+100"),
    "underscore": ({"score_a": "1_0", "score_b": 1}, r"line 1, score_a: '1_0' is no finite number"),
    "full width": ({"score_a": "\uff11", "score_b": 1}, r"line 1, score_a: .* is no finite number"),
    "list": ({"verdict": ["a"]}, r"line 1, verdict: \['a'\] is none of a, b and tie"),
    "against scores": (
        {"verdict": "a", "score_a": 1, "score_b": 2},
        r"line 1, verdict: 'a', and score_a 1 and score_b 2 say b: leave out",
    ),
    "against equal scores": ({"verdict": "b", "score_a": 2, "score_b": 2}, r"line 1, verdict: 'b', .* say tie"),
    "null against scores": ({"verdict": None, "score_a": 2, "score_b": 2}, r"line 1, verdict: None, .* say tie"),
    "against its reply": ({"verdict": "a", "reply": B_BETTER}, r"line 1, verdict: 'a', and the reply says b"),
    "another id": ({"pair_id": "other", "verdict": "a"}, r"line 1, item_id: .* is another item than pair_id 'other'"),
    "dimension": (
        {"verdict": "a", "scores_a": {"Naturalnes": 3}},
        r"line 1, scores_a: the release has no dimension 'Naturalnes', it has .*Text Fidelity",
    ),
    "reply": ({"reply": 3}, r"line 1, reply: 3 is no text"),
    "no id": ({"item_id": None, "verdict": "a"}, r"line 1, item_id: None is no id"),
    "nothing": ({"text": "x"}, r"it needs reply, verdict, or score_a and score_b; it has item_id, text"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_value_that_cannot_be_meant_is_refused_with_its_place(tmp_path, items, name):
    row, message = REFUSED[name]
    with pytest.raises(DataError, match=message):
        answers(tmp_path, items, [{"item_id": items.ids[0], **row}])


@pytest.mark.parametrize(
    ("name", "text"), [("p.jsonl", "[1]\n"), ("p.jsonl", "{\n"), ("p.csv", "item_id,verdict\n1\n"), ("p.txt", "")]
)
def test_a_file_that_is_none_is_refused(tmp_path, items, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=name):
        read_predictions(tmp_path / name, items, TASK1)


@pytest.mark.parametrize(("name", "text"), [("p.jsonl", "\n"), ("p.csv", ""), ("p.csv", "item_id,verdict\n")])
def test_a_file_without_rows_says_so(tmp_path, items, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=rf"{name} has no rows"):
        read_predictions(tmp_path / name, items, TASK1)


def test_answers_given_twice_may_agree(tmp_path, items):
    """All that a row says goes by the order of playing."""
    twice = {"reply": B_BETTER, "verdict": "B", "order": "swapped"}
    rows = [{"item_id": item, "pair_id": item} | twice for item in items.ids]
    assert {row["verdict"] for row in answers(tmp_path, items, rows)} == {"a"}


def test_replies_need_a_task(tmp_path):
    pairs = items_of(rated_pairs_release(tmp_path, 3))
    path = json_lines(tmp_path / "p.jsonl", [{"item_id": item, "reply": "Audio 1"} for item in pairs.ids])
    with pytest.raises(RecipeError, match="--task"):
        read_predictions(path, pairs, None)
    found = read_predictions(path, pairs, plugins.configure("task", "better_clip"))
    assert set(found["verdict"].to_pylist()) == {"a"}


def test_clips_take_replies_scores_by_scale_and_json_in_csv(tmp_path, clips):
    reply = read_predictions(
        json_lines(tmp_path / "p.jsonl", [{"item_id": item, "reply": QUALITY} for item in clips.ids]),
        clips,
        plugins.configure("task", "quality"),
    )
    assert dict(reply["scores"].to_pylist()[0])["overall"] == 4.0
    path = tmp_path / "p.csv"
    cell = json.dumps({"noise": 2}).replace('"', '""')
    path.write_text("clip_id,scores\n" + "".join(f'{item},"{cell}"\n' for item in clips.ids), encoding="utf-8")
    assert read_predictions(path, clips, None)["scores"].to_pylist() == [[("noise", 2.0)]] * 2


def test_a_scale_that_the_release_lacks_is_refused(tmp_path, clips):
    rows = [{"item_id": item, "scores": {"loudness": 2}} for item in clips.ids]
    with pytest.raises(DataError, match=r"no scale 'loudness', it has noise, overall"):
        answers(tmp_path, clips, rows, None)
