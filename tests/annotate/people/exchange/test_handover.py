"""Tasks out and votes back in: every kind of file, every protocol."""

import json
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotate.people.exchange.import_export import export_tasks, read_vote_file
from annotate.people.protocols.acceptance import Acceptance
from annotate.people.protocols.rating import Rating
from annotate.people.protocols.speechjudge import SpeechJudge
from annotate.people.protocols.unisrm import UniSRM
from annotate.people.store.item import Item
from contracts.conformance import conform
from contracts.errors import DataError, RecipeError
from tests.annotate.people.exchange.filling import (
    annotated,
    audio,
    clip,
    minimal,
    pair,
    read_table,
    read_votes,
    sample,
    write_table,
)

SHEETS = ("csv", "xlsx", "jsonl")
ERRORS = st.lists(st.sampled_from(["omission", "insertion", "substitution"]), unique=True)
NAMES = st.sampled_from(["Ann", "Bob Ö.", "=cmd()", "+44 123", "7"])

few = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def flipped(value: str) -> str:
    return value.translate(str.maketrans("AB", "BA"))


def first_is_a(folder: Path, link: str) -> bool:
    """Listen: the clip that pairs have as A is at 200, their B at 300."""
    pcm, _ = soundfile.read(folder / unquote(link), dtype="int16")
    return {200: True, 300: False}[int(pcm[0])]


@few
@pytest.mark.parametrize("kind", SHEETS)
@given(
    seed=st.integers(0, 99),
    votes=st.dictionaries(
        st.tuples(st.integers(0, 3), NAMES),
        st.tuples(st.sampled_from(["A+2", "A+1", "T", "B+1", "B+2"]), ERRORS, ERRORS),
        min_size=1,
    ),
)
def test_a_filled_in_sheet_gives_back_what_listeners_meant(tmp_path_factory, kind, seed, votes):
    """Listeners say which recording they prefer, whatever letter it has on their sheet."""
    folder = tmp_path_factory.mktemp("export")
    items = [pair(number) for number in range(4)]
    path = export_tasks(items, folder, kind=kind, audio=audio, seed=seed, protocol=SpeechJudge())
    filled, meant = [], set()
    for number, row in enumerate(read_table(path)):
        mine = {name: vote for (place, name), vote in votes.items() if place == number}
        if not mine:
            filled.append(row)
        for name, (value, wrong_a, wrong_b) in mine.items():
            straight = first_is_a(folder, row["audio_a"])
            first, second = (wrong_a, wrong_b) if straight else (wrong_b, wrong_a)
            join = list if kind == "jsonl" else "; ".join
            answers = {"value": value if straight else flipped(value), "errors_a": join(first), "errors_b": join(second)}
            filled.append({**row, "annotator": name if kind == "jsonl" else f"'{name}" if name[0] in "=+" else name, **answers})
            subject = next(item.subject_id for item in items if item.text == row["text"])
            meant.add((subject, name, value, frozenset(wrong_a), frozenset(wrong_b)))
    write_table(path, filled)
    known = [item.subject_id for item in items]
    found = read_vote_file(path, protocol=SpeechJudge(), protocol_name="speechjudge", known_subjects=known, seed=seed)
    rows = conform(found.table, "votes").to_pylist()
    assert found.unanswered == len([row for row in filled if not row["value"]])
    names = {row["annotator_id"] for row in rows}
    assert len(names) == len({name for _, name in votes})
    assert not any(name in str(rows) for name in ("Ann", "Bob", "cmd", "+44"))
    expected = sorted((s, v, sorted(a), sorted(b), not a, not b) for s, _, v, a, b in meant)
    got = sorted(
        (
            row["pair_id"],
            row["value"],
            sorted(row["errors_a"]),
            sorted(row["errors_b"]),
            row["text_accurate_a"],
            row["text_accurate_b"],
        )
        for row in rows
    )
    assert got == expected
    again = read_votes(path, protocol=SpeechJudge(), protocol_name="speechjudge", known_subjects=known, seed=seed)
    assert again.equals(found.table)


@few
@pytest.mark.parametrize("variant", ["json", "json_min"])
@given(
    seed=st.integers(0, 99),
    votes=st.dictionaries(
        st.tuples(st.integers(0, 3), st.integers(1, 4)),
        st.tuples(st.sampled_from(["A+2", "A+1", "T", "B+1", "B+2"]), ERRORS, ERRORS),
        min_size=1,
    ),
)
def test_an_annotated_project_gives_back_what_listeners_meant(tmp_path_factory, variant, seed, votes):
    folder = tmp_path_factory.mktemp("studio")
    items = [pair(number) for number in range(4)]
    path = export_tasks(items, folder, kind="label_studio", audio=audio, seed=seed, protocol=SpeechJudge(), url="")
    tasks = json.loads(path.read_text())
    forms, meant = {}, []
    for (place, user), (value, wrong_a, wrong_b) in votes.items():
        straight = first_is_a(folder, tasks[place]["data"]["audio_a"])
        first, second = (wrong_a, wrong_b) if straight else (wrong_b, wrong_a)
        forms[place, user] = {"value": [value if straight else flipped(value)], "errors_a": first, "errors_b": second}
        subject = next(item.subject_id for item in items if item.text == tasks[place]["data"]["text"])
        meant.append((subject, value, sorted(wrong_a), sorted(wrong_b)))
    export = folder / "project-83.json"
    exported = annotated(tasks, forms)
    export.write_text(json.dumps(exported if variant == "json" else minimal(exported)))
    known = [item.subject_id for item in items]
    table = read_votes(export, protocol=SpeechJudge(), protocol_name="speechjudge", known_subjects=known, seed=seed)
    rows = conform(table, "votes").to_pylist()
    got = [(row["pair_id"], row["value"], sorted(row["errors_a"]), sorted(row["errors_b"])) for row in rows]
    assert sorted(got) == sorted(meant)
    assert {row["time_s"] for row in rows} == {4.288}
    assert {row["source"] for row in rows} == {"import:project-83.json"}
    assert len({row["annotator_id"] for row in rows}) == len({user for _, user in votes})


@pytest.mark.parametrize("kind", [*SHEETS, "label_studio"])
def test_votes_without_ties_come_back(tmp_path, kind):
    """UniSRM's words: invalid stays invalid, A and B are turned back."""
    items = [pair(number) for number in range(12)]
    path = export_tasks(items, tmp_path / "out", kind=kind, audio=audio, seed=3, protocol=UniSRM(), url="")
    wish = {item.subject_id: ("A", "B", "invalid")[number % 3] for number, item in enumerate(items)}
    subject = {item.text: item.subject_id for item in items}
    if kind == "label_studio":
        tasks = json.loads(path.read_text())
        shown = [task["data"] for task in tasks]
    else:
        shown = read_table(path)
    straight = [first_is_a(tmp_path / "out", row["audio_a"]) for row in shown]
    assert len(set(straight)) == 2, "both orders occur among twelve items"
    values = [wish[subject[row["text"]]] for row in shown]
    played = [value if same or value == "invalid" else flipped(value) for value, same in zip(values, straight, strict=True)]
    if kind == "label_studio":
        path.write_text(json.dumps(annotated(tasks, {(number, 5): {"value": [value]} for number, value in enumerate(played)})))
    else:
        write_table(path, [{**row, "annotator": "Ann", "value": value} for row, value in zip(shown, played, strict=True)])
    table = read_votes(path, protocol=UniSRM(), protocol_name="unisrm", known_subjects=set(wish), seed=3)
    assert dict(zip(table["pair_id"].to_pylist(), table["value"].to_pylist(), strict=True)) == wish
    assert table["errors_a"].null_count == table["text_accurate_a"].null_count == 12
    orders = dict(zip(table["pair_id"].to_pylist(), table["order"].to_pylist(), strict=True))
    assert orders == {subject[row["text"]]: "ab" if same else "ba" for row, same in zip(shown, straight, strict=True)}


@pytest.mark.parametrize("kind", [*SHEETS, "label_studio"])
def test_ratings_of_single_clips_come_back(tmp_path, kind):
    protocol = Rating(scales=("noise", "overall"))
    path = export_tasks([sample(1)], tmp_path / "out", kind=kind, audio=audio, seed=3, protocol=protocol)
    if kind == "label_studio":
        tasks = json.loads(path.read_text())
        path.write_text(json.dumps(annotated(tasks, {(0, 5): {"noise": ["4"], "overall": ["2"]}})))
    else:
        write_table(path, [{**row, "annotator": "Ann", "noise": 4, "overall": "2", "seconds": 7.5} for row in read_table(path)])
    table = read_votes(path, protocol=protocol, protocol_name="rating", known_subjects=["sample1"], seed=3)
    (row,) = conform(table, "ratings").to_pylist()
    assert (row["sample_id"], dict(row["scores"])) == ("sample1", {"noise": 4.0, "overall": 2.0})
    assert row["time_s"] == (4.288 if kind == "label_studio" else 7.5)


@pytest.mark.parametrize("kind", [*SHEETS, "label_studio"])
def test_an_export_does_not_say_what_is_compared(tmp_path, kind):
    """Neither pair, nor blob, nor gold, nor order is to be read off the files or their names."""
    items = [pair(number, gold=("A",) if number == 1 else ()) for number in range(3)]
    export_tasks(items, tmp_path / "out", kind=kind, audio=audio, seed=0, protocol=UniSRM())
    names = [path.name for path in (tmp_path / "out").rglob("*")]
    texts = [path.read_bytes() for path in (tmp_path / "out").iterdir() if path.is_file() and path.suffix != ".xlsx"]
    told = " ".join(names).encode() + b" ".join(texts)
    if kind == "xlsx":
        told += str(read_table(tmp_path / "out" / "tasks.xlsx")).encode()
    for secret in (b"pair1", b"item1", b"s1a1", b"gold", b'"ba"', b"'ab'"):
        assert secret not in told


def test_the_seed_fixes_an_export_and_another_seed_changes_it(tmp_path):
    items = [pair(number) for number in range(8)]

    def exported(name: str, seed: int) -> bytes:
        path = export_tasks(reversed(items), tmp_path / name, kind="jsonl", audio=audio, seed=seed, protocol=UniSRM())
        return path.read_bytes()

    assert exported("one", 1) == exported("two", 1) != exported("three", 2)


def test_clips_sound_as_loud_as_the_app_plays_them(tmp_path):
    item = Item(
        item_id="i",
        subject_id="p",
        language="en",
        text="t",
        clips=(clip("a1", 6.0206), clip("b2")),
        references=(clip("c3"),),
        history=(clip("d4"), clip("e5")),
    )
    path = export_tasks([item], tmp_path, kind="jsonl", audio=audio, seed=0, protocol=UniSRM(), url="https://host/x/")
    (row,) = read_table(path)
    assert all(row[name].startswith("https://host/x/audio/") for name in ("audio_a", "audio_b", "reference_1", "history_2"))
    levels = {
        name: int(soundfile.read(tmp_path / row[name][15:], dtype="int16")[0][0]) for name in row if row[name] and "_" in name
    }
    assert {levels["audio_a"], levels["audio_b"]} == {400, 300}, "A is twice as loud as stored"
    assert (levels["reference_1"], levels["history_1"], levels["history_2"]) == (400, 500, 600)


def test_a_gain_that_would_distort_is_refused(tmp_path):
    item = Item(item_id="i", subject_id="p", language="en", text="t", clips=(clip("a1", 60.0), clip("b2")))
    with pytest.raises(DataError, match=r"a1: \+60\.0 dB would make it clip"):
        export_tasks([item], tmp_path, kind="csv", audio=audio, seed=0, protocol=UniSRM())
    assert not (tmp_path / "tasks.csv").exists()


def test_a_file_that_may_hold_answers_is_not_overwritten(tmp_path):
    path = export_tasks([pair(1)], tmp_path, kind="csv", audio=audio, seed=0, protocol=UniSRM())
    before = path.read_bytes()
    with pytest.raises(DataError, match="may hold answers"):
        export_tasks([pair(2)], tmp_path, kind="csv", audio=audio, seed=0, protocol=UniSRM())
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([], "nothing to export"),
        ([pair(1), pair(1)], "two items are about pair1"),
        ([sample(1)], "plays 2 clips, it has 1"),
    ],
)
def test_items_that_make_no_tasks_are_refused(tmp_path, items, message):
    with pytest.raises(DataError, match=message):
        export_tasks(items, tmp_path, kind="csv", audio=audio, seed=0, protocol=UniSRM())


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_no_cell_of_an_export_runs(tmp_path, kind):
    """A text that begins like a formula is opened as a text (OWASP, CSV injection), and control characters do not break the file."""
    texts = ["=HYPERLINK('x')", "+1", "-1", "@SUM(A1)", "\t=1", "\uff1d1", "bell \x07", "'=1", "fine"]
    items = [pair(number, text=text, note=text) for number, text in enumerate(texts)]
    path = export_tasks(items, tmp_path, kind=kind, audio=audio, seed=0, protocol=UniSRM())
    rows = read_table(path)
    assert len(rows) == len(texts)
    for row in rows:
        assert not any(str(cell).startswith(("=", "+", "-", "@", "\t", "\r", "\uff1d")) for cell in row.values())


def test_a_changed_task_is_no_vote(tmp_path):
    """Somebody sorted one column: the votes are refused instead of landing on other pairs."""
    path = export_tasks([pair(1), pair(2)], tmp_path, kind="csv", audio=audio, seed=0, protocol=UniSRM())
    one, two = read_table(path)
    write_table(path, [{**one, "annotator": "Ann", "value": "A", "task": two["task"][:-1]}])
    with pytest.raises(DataError, match=r"row 2, column 'task': .* is no task of this data set"):
        read_votes(path, protocol=UniSRM(), protocol_name="unisrm", known_subjects=["pair1", "pair2"], seed=0)


@pytest.mark.parametrize(
    ("name", "kind", "mapping", "message"),
    [
        ("votes.txt", None, None, "the ending '.txt' does not say what it is"),
        ("votes.csv", "pdf", None, "unknown kind 'pdf'"),
        ("votes.json", None, {"subject": "p"}, "needs no mapping"),
        ("votes.csv", None, {"subject": "p"}, "answers"),
    ],
)
def test_what_cannot_be_read_is_said_before_it_is_tried(tmp_path, name, kind, mapping, message):
    with pytest.raises(RecipeError, match=message):
        read_votes(
            tmp_path / name, kind=kind, mapping=mapping, protocol=UniSRM(), protocol_name="unisrm", known_subjects=[], seed=0
        )


def test_pseudonyms_depend_on_the_seed_and_are_the_same_over_files(tmp_path):
    path = export_tasks([pair(1), pair(2)], tmp_path, kind="csv", audio=audio, seed=0, protocol=UniSRM())
    rows = [{**row, "annotator": "Ann", "value": "A"} for row in read_table(path)]
    write_table(tmp_path / "one.csv", rows[:1])
    write_table(tmp_path / "two.csv", rows[1:])

    def annotators(name: str, seed: int) -> set[str]:
        table = read_votes(
            tmp_path / name, protocol=UniSRM(), protocol_name="unisrm", known_subjects=["pair1", "pair2"], seed=seed
        )
        return set(table["annotator_id"].to_pylist())

    assert annotators("one.csv", 0) == annotators("two.csv", 0)
    assert annotators("one.csv", 0) != annotators("one.csv", 1)


def test_audio_is_encoded_without_loss(tmp_path):
    path = export_tasks([pair(1)], tmp_path, kind="jsonl", audio=audio, seed=0, protocol=UniSRM())
    (row,) = read_table(path)
    pcm, rate = soundfile.read(tmp_path / row["audio_a"], dtype="int16")
    assert rate == 16000
    assert any(np.array_equal(pcm, audio(name)[0]) for name in ("s1a1", "s1b2"))


@pytest.mark.parametrize("kind", [*SHEETS, "label_studio"])
def test_a_critique_goes_out_with_its_clips_in_order_and_comes_back_accepted_or_not(tmp_path, kind):
    """As it was written, but for what a spreadsheet program would run; Audio 1 is the pair's A in every task."""
    text = "=Audio 1 hums,\nAudio 2 does not.\x07"
    items = [pair(number, text=None, critique=text) for number in range(8)]
    path = export_tasks(items, tmp_path / "out", kind=kind, audio=audio, seed=1, protocol=Acceptance())
    if kind == "label_studio":
        rows = [task["data"] for task in json.loads(path.read_text())]
        assert 'value="$critique"' in (path.parent / "label_config.xml").read_text()
    else:
        rows = read_table(path)
        assert "its Audio 1 is the clip audio_1" in (path.parent / "form.txt").read_text()
    told = {"csv": f"'{text}", "xlsx": f"'{text}"}.get(kind, text)
    assert {row["critique"] for row in rows} == {told.replace("\x07", "\ufffd") if kind in ("csv", "xlsx") else told}
    assert not {"audio_a", "audio_b"} & set(rows[0])
    links = {name: [row[name].removeprefix("/data/local-files/?d=out/") for row in rows] for name in ("audio_1", "audio_2")}
    assert all(first_is_a(path.parent, link) for link in links["audio_1"])
    assert not any(first_is_a(path.parent, link) for link in links["audio_2"])
    values = ["yes", "no", "invalid", "yes", "yes", "no", "yes", "yes"]
    if kind == "label_studio":
        answers = {(number, 7): {"value": [value]} for number, value in enumerate(values)}
        path.write_text(json.dumps(annotated(json.loads(path.read_text()), answers)))
    else:
        write_table(path, [row | {"annotator": "Ann", "value": value} for row, value in zip(rows, values, strict=True)])
    known = [item.subject_id for item in items]
    found = read_vote_file(path, protocol=Acceptance(), protocol_name="acceptance", known_subjects=known, seed=1)
    assert sorted(found.table["value"].to_pylist()) == sorted(values)
    assert set(found.table["order"].to_pylist()) == {"ab"}
