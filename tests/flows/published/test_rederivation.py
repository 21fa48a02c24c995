"""SpeechJudge-Data as published, derived again: levels and subsets by hand, differences by rule, and the command."""

import json
from collections import Counter
from types import SimpleNamespace

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from contracts.errors import DataError
from flows.entry.cli import app
from flows.published.measured_wers import wers_with
from flows.published.rederivation import derived_splits, differences, funnel, read_published, strata
from storage.published_pairs import PUBLISHED, TEACHER
from tests.flows.small import CLIPS, LINES

TIE = "Tie (missing reason)"


def row(index: int, annotations: list[str], label: str, *, text: str | None = None, **changes) -> dict:
    """Return a published row; twelve raters take turns, so that each one is rated where there are enough rows."""
    count = len(annotations)
    return {
        "index": index,
        "subset": "regular",
        "language_setting": "en2en",
        "chosen": True,
        "prompt_text": "p",
        "target_text": text or f"text {index}",
        "rater": [f"r{(index + place) % 12}" for place in range(count)],
        "audioA_text_accuracy": [1] * count,
        "audioB_text_accuracy": [1] * count,
        "naturalness_annotation": annotations,
        "naturalness_label": label,
        TEACHER: "",
    } | changes


def written(folder, **splits):
    folder.mkdir(exist_ok=True)
    for split, rows in splits.items():
        pq.write_table(pa.Table.from_pylist(rows, schema=PUBLISHED), folder / f"{split}-00000-of-00001.parquet")
    return folder


def by_rule(published) -> dict:
    return {found["rule"]: found for found in differences(published)}


@pytest.fixture
def folder(tmp_path):
    return written(
        tmp_path / "data",
        train=[
            row(0, ["A+2", "A+1"], "A"),
            row(1, ["A+1", TIE, "A+1"], "A"),
            row(2, ["B+1", "A+1", "B+2"], "B"),
            row(3, ["A+1", "B+1", TIE], "A"),  # full disagreement, in train and labelled
            row(4, ["B+1", "B+1"], "A"),  # the wrong label
        ],
        test=[row(0, ["A+2", "A+1"], "A", text="text 1"), row(9, ["B+1", TIE, "B+1"], "B")],
        other=[row(0, [TIE, TIE], "Tie"), row(1, ["A+1", "B+1", TIE], "Tie")],
    )


def test_half_a_data_set_is_not_the_whole(folder):
    (folder / "train-00000-of-00001.parquet").rename(folder / "train-00000-of-00002.parquet")
    with pytest.raises(DataError, match=r"1 of 2 files of a split are missing: download train-00001-of-00002\.parquet"):
        read_published(folder)


def test_files_without_rows_or_columns_are_named(tmp_path):
    with pytest.raises(DataError, match=r"has no rows in train-00000-of-00001\.parquet"):
        read_published(written(tmp_path / "none", train=[]))
    other = tmp_path / "other"
    other.mkdir()
    pq.write_table(pa.table({f"column {number}": [1] for number in range(200)}), other / "train.parquet")
    with pytest.raises(DataError, match=r"^train\.parquet has no column index: is it of SpeechJudge-Data\?$"):
        read_published(other)


def test_clips_that_are_not_there_are_not_measured(folder, monkeypatch):
    for file in folder.glob("*.parquet"):
        pq.write_table(pq.read_table(file).drop_columns(["audioA", "audioB"]), file)
    metric = SimpleNamespace(missing=lambda: None, open=lambda: None)
    monkeypatch.setattr("flows.published.measured_wers.plugins.configure", lambda *_: metric)
    with pytest.raises(DataError, match="has no column audioA, which is measured"):
        read_published(folder, wers_with("whisper_base"))


def test_levels_and_subsets_by_hand(folder):
    assert {
        line["split"]: {name: line[name] for name in ("FA", "WA", "WD", "FD", "pref")}
        for line in funnel(read_published(folder))
    } == {
        "train": {"FA": 2, "WA": 1, "WD": 1, "FD": 1, "pref": 4},
        "test": {"FA": 1, "WA": 1, "WD": 0, "FD": 0, "pref": 2},
        "other": {"FA": 1, "WA": 0, "WD": 0, "FD": 1, "pref": 0},
        "all": {"FA": 4, "WA": 2, "WD": 1, "FD": 2, "pref": 6},
    }
    assert funnel(read_published(folder))[-1]["hq"] is None, "no WER is published"
    assert funnel(read_published(folder))[-1]["votes_per_pair"] == round(23 / 9, 3)


def test_differences_by_rule(folder):
    found = by_rule(read_published(folder))
    told = {rule.partition(":")[0][:24]: (line["pairs"], line["differ"], line["first"]) for rule, line in found.items()}
    assert found["naturalness_label is the majority of the votes"]["first"] == "train 4"
    assert found["no majority: naturalness_label is Tie"]["first"] == "train 3"
    assert found["train: no full disagreement"]["first"] == "train 3"
    assert found["test and dev: full agreement"]["first"] == "test 9"
    assert found["test and dev: their texts are not in train"]["first"] == "test 0"
    assert found["train, dev and test: in hq (WER gap below 12 %)"]["untold"] == 7
    assert all(line["pairs"] == line["equal"] + line["differ"] + line["untold"] for line in found.values()), told


def test_chosen_by_agreement_rates(tmp_path):
    """The rates are those of an independent script over the same votes (SpeechJudge, App. B.1)."""
    rows = [row(n, ["A+1", "A+2"] if n % 3 else ["A+1", "B+1", TIE], "A" if n % 3 else "Tie") for n in range(60)]
    odd = {"rater": ["odd", "r1"], "naturalness_annotation": ["B+1", "A+1"], "naturalness_label": "Tie", "chosen": False}
    rows += [row(100 + n, ["A+1", "A+1"], "A", **odd) for n in range(12)]
    published = read_published(written(tmp_path / "data", train=rows))
    votes = published.votes.to_pandas()
    votes["side"] = votes["value"].str[0]
    shares = []
    for _, pair in votes.groupby("pair_id"):
        for place, vote in pair.iterrows():
            others = pair.drop(place)
            shares.append((vote["annotator_id"], (others["side"] == vote["side"]).mean()))
    rates = pd.DataFrame(shares, columns=["who", "share"]).groupby("who")["share"].mean()
    found = by_rule(published)["chosen: every annotator of the pair agrees with the others above 40 %"]
    expected = [all(rates[who] > 0.4 for who in one["rater"]) == one["chosen"] for one in rows]
    assert (found["equal"], found["differ"]) == (sum(expected), len(expected) - sum(expected))
    assert rates["odd"] == 0


def test_our_splits_keep_texts_whole_and_meet_the_quotas(tmp_path):
    rows = [row(n, ["A+2", "A+1"], "A", text=f"text {n // 2}") for n in range(1000)]
    rows += [row(5000 + n, ["A+1", TIE, "A+1"], "A") for n in range(50)]
    published = read_published(written(tmp_path / "data", train=rows))
    drawn = derived_splits(published, seed=1)
    assert Counter(drawn.values()) == {"eval": 200, "dev": 200, "train": 650}
    split_of_text: dict[str, set] = {}
    levels = dict(zip(published.pairs["pair_id"].to_pylist(), published.pairs["level"].to_pylist(), strict=True))
    for pair in published.pairs.to_pylist():
        split_of_text.setdefault(pair["text"], set()).add(drawn[pair["pair_id"]])
    assert all(len(splits) == 1 for splits in split_of_text.values())
    assert {levels[pair] for pair, split in drawn.items() if split != "train"} == {"FA"}
    assert derived_splits(published, seed=1) == drawn != derived_splits(published, seed=2)
    assert strata(published, seed=1) == [
        {"stratum": "regular en", "test": 0, "dev": 0, "train": 1050, "our_eval": 200, "our_dev": 200, "our_train": 650}
    ]


def test_measured_gaps_decide_hq(folder):
    """A gap of 0.12 is too much, and what was not measured is not told."""

    def wer_of(file):
        count = pq.read_metadata(file).num_rows
        gaps = [0.0, 0.11, 0.12, None, 0.5][:count]
        return pa.table({"wer_a": pa.array([0.0] * count), "wer_b": pa.array(gaps, pa.float64())})

    published = read_published(folder, wer_of)
    assert {line["split"]: line["hq"] for line in funnel(published)} == {"train": 2, "test": 2, "other": None, "all": 4}
    found = by_rule(published)["train, dev and test: in hq (WER gap below 12 %)"]
    assert (found["equal"], found["differ"], found["untold"]) == (4, 2, 1)


def test_the_command(folder, tmp_path):
    CliRunner().invoke(app, ["rederive", str(folder), "-o", str(tmp_path / "out")], catch_exceptions=False)
    derived = pq.read_table(tmp_path / "out" / "pairs.parquet").to_pandas()
    assert derived["level"].value_counts().to_dict() == {"FA": 4, "WA": 2, "FD": 2, "WD": 1}
    assert derived["our_split"].notna().sum() == 5, "pairs in pref, but the one whose text is held out and that is no FA"
    assert pq.read_table(tmp_path / "out" / "votes.parquet").num_rows == 23
    done = CliRunner().invoke(app, ["rederive", str(folder), "--json"], catch_exceptions=False)
    assert {line["rule"] for line in json.loads(done.stdout)["differences"]} >= {"train: no full disagreement"}
    shown = CliRunner().invoke(app, ["rederive", str(folder)], catch_exceptions=False)
    assert "train: no full disagreement" in shown.stdout
    assert "hq is not known" in shown.stderr


def test_what_is_no_published_data_is_named(tmp_path):
    with pytest.raises(DataError, match="has no Parquet file"):
        read_published(tmp_path)
    pq.write_table(pa.table({"index": [1]}), tmp_path / "train.parquet")
    with pytest.raises(DataError, match=r"train\.parquet"):
        read_published(tmp_path)


@pytest.mark.slow
def test_clips_are_measured(tmp_path):
    """A recogniser hears five recordings: against themselves they have no gap, against one of another sentence a wide one."""
    rows = []
    for number, (heard, text) in enumerate(zip(CLIPS, LINES, strict=True)):
        other = heard if number % 2 else CLIPS[(number + 1) % len(CLIPS)]
        clips = {f"audio{side}": {"bytes": clip.read_bytes(), "path": "x"} for side, clip in (("A", heard), ("B", other))}
        rows.append(row(number, ["A+2", "A+1"], "A", text=text, **clips))
    published = read_published(written(tmp_path / "data", train=rows), wers_with("whisper_base"))
    assert published.pairs["in_hq"].to_pylist() == [number % 2 == 1 for number in range(5)]
