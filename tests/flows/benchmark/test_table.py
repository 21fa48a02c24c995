"""``bench table``: numbers of the papers in their rows, in three forms; names of models are anybody's text."""

import csv
import io
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from contracts.errors import DataError
from flows.benchmark.judge_answers import JUDGE_ANSWERS
from flows.benchmark.leaderboard import render, standings
from flows.benchmark.results import Inputs, JudgeFacts, Results, write_results
from flows.entry.cli import app
from scoring.bench.figure import Figure
from scoring.reliability.measures import Measure

DIMENSIONS = {
    "Text Fidelity & Intelligibility": 0.8333,
    "Speaker Similarity to Prompt Speech": 0.6225,
    "Prosody & Expressiveness Appropriateness": 0.6124,
    "Naturalness & Audio Quality": 0.4398,
}
"""UniSRM, Table 3: UniSRM(Ours), whose average is 62.70."""

ASPECTS = {
    "noise": 0.754, "distortion": 0.547, "speed": 0.209, "continuity": 0.526, "listening_effort": 0.478, "naturalness": 0.473,
    "overall": 0.551,
}  # fmt: skip
"""UniSRM, Table 4: UniSRM(Ours), whose average is 0.505."""


def figure(name: str, value: float | None, n: int = 100, **of: str) -> Figure:
    return Figure(name=name, of=of, measure=Measure(value=value, n=n, low=0.1, high=0.9, why=None if value else "too few"))


def results(task: str, *figures: Figure, name: str = "UniSRM", **changes) -> Results:
    about = "samples" if task == "quality" else "pairs"
    made = Results(
        judge=JudgeFacts(name=name, kind="predictions"), release="1.0-abc", configuration=task, split="bench", about=about,
        task=task, has_ratings=False, intervals_over="leakage groups", items=100, replies=100, unreadable={}, cost_usd=1.0, latency_s=None, figures=list(figures),
    )  # fmt: skip
    return replace(made, **changes)


def grid(text: str, title: str) -> dict[str, list[str]]:
    """Return row -> cells of a Markdown table under a heading, the header as ``Model``."""
    section = text.partition(f"## {title}")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in section.splitlines() if line.startswith("|")]
    return {row[0].strip(): row[1:] for row in rows}


def test_the_rows_of_unisrm():
    """Tables 1, 3 and 4 of UniSRM(Ours), with the averages that the paper prints; languages of Task 3 are apart."""
    made = [
        results("task1", figure("accuracy", 0.6506, 498), *(figure("accuracy", v, dimension=d) for d, v in DIMENSIONS.items())),
        results("quality", *(figure("pearson", v, scale=s) for s, v in ASPECTS.items()), figure("bin_accuracy", 0.3974, scale="overall")),
        results("task3", figure("accuracy", 0.88), figure("accuracy", 0.8561, language="en"), figure("accuracy", 0.9130, language="zh")),
        results("task4", figure("accuracy", 0.8889, 126)),
    ]  # fmt: skip
    text = render(made, "md")
    first = grid(text, "UniSRM, Table 1: all tasks")
    assert first["Model"] == ["T1 acc", "T2 acc", "T2 pcc", "T3-En acc", "T3-Zh acc", "T4 acc"]
    assert [cell.split()[0] for cell in first["UniSRM"]] == ["65.06", "39.74", "0.551", "85.61", "91.30", "88.89"]
    assert first["UniSRM"][0] == "65.06 (10.0 to 90.0, n 498)"
    assert grid(text, "UniSRM, Table 3")["UniSRM"][-1].startswith("62.70")
    assert grid(text, "UniSRM, Table 4")["UniSRM"][-1].startswith("0.505")


def test_a_cell_that_nobody_filled_is_empty_and_so_is_a_column():
    """A metric has a correlation in Task 2 and no accuracy; nobody judged Task 4."""
    made = [
        results("task1", figure("accuracy", 0.5924), name="WER"),
        results("quality", figure("pearson", 0.449, scale="overall"), name="UTMOS"),
    ]
    table = grid(render(made, "md"), "UniSRM, Table 1: all tasks")
    assert table["Model"] == ["T1 acc", "T2 pcc"]
    assert table["WER"][1] == "-"
    assert table["UTMOS"][0] == "-"


def test_sources_and_styles_have_the_papers_order():
    corpora = [figure("accuracy", 0.5, corpus=name) for name in ("vmc23", "bvcc", "somos", "another")]
    rated = results("critique_pair", figure("accuracy", 0.6), *corpora, has_ratings=True)
    assert grid(render([rated], "md"), "MOS-RMBench, Table 2")["Model"] == ["BVCC", "SOMOS", "VMC'23", "another", "Overall"]
    settings = [figure("accuracy", 0.5, style="regular", setting=name) for name in ("en2zh", "zh2zh", "en2en")]
    judged = results("teacher", figure("accuracy", 0.6), figure("accuracy", 0.7, style="regular"), *settings)
    assert grid(render([judged], "md"), "SpeechJudge, Table 8")["Model"] == ["en2en", "zh2zh", "en2zh", "Avg"]
    assert "MOS-RMBench" not in render([judged], "md")


def test_the_majority_of_the_votes_is_a_row_of_its_own():
    """SpeechJudge, Table 3: SpeechJudge-GRM (SFT+RL), one by one and w/ Voting@10."""
    printed = {"regular": (0.790, 0.805), "expressive": (0.760, 0.787)}
    alone = [figure("accuracy", 0.772), *(figure("accuracy", one, style=style) for style, (one, _) in printed.items())]
    voted = [
        figure("voting_accuracy", 0.772, votes="1"),
        figure("voting_accuracy", 0.794, votes="10"),
        *(figure("voting_accuracy", ten, style=style, votes="10") for style, (_, ten) in printed.items()),
    ]
    table = grid(render([results("teacher", *alone, *voted, name="GRM")], "md"), "SpeechJudge, Table 2")
    assert [cell.split()[0] for cell in table["GRM"]] == ["79.00", "76.00", "77.20"]
    assert [cell.split()[0] for cell in table["GRM w/ Voting@10"]] == ["80.50", "78.70", "79.40"]


def test_the_overview_is_best_first_and_tells_inputs_and_cost():
    """A number without a value says why and stands last."""
    inputs = Inputs(audio="given", prompt="not given", reference="not part of the task", history="unknown", note="WER")
    facts = JudgeFacts(name="middle", kind="metric", inputs=inputs)
    made = [
        results("task1", figure("accuracy", None), name="none"),
        results("task1", figure("accuracy", 0.5), figure("order_consistency", 0.75), judge=facts),
        results("task1", figure("accuracy", 0.9), name="best"),
    ]
    rows = standings(made)
    assert [row.judge for row in rows] == ["best", "middle", "none"]
    assert rows[1].facts["both orders agree"] == "75.0 %"
    assert (rows[1].facts["audio"], rows[1].facts["prompt"], rows[1].facts["beside"]) == ("given", "not given", "WER")
    assert rows[1].facts["USD per item"] == "0.01000"
    assert "too few" in render(made, "md")


def test_two_results_about_the_same_items_need_two_names():
    made = [results("task1", figure("accuracy", value)) for value in (0.5, 0.6)]
    with pytest.raises(DataError, match=r"two results of UniSRM are about 1\.0-abc task1/bench"):
        render(made, "md")


@pytest.mark.parametrize(
    ("changes", "benchmark"),
    [
        ({"release": "2.0-def"}, "2.0-def task1/bench"),
        ({"split": "sft"}, "1.0-abc task1/sft"),
        ({"configuration": "hard"}, "1.0-abc hard/bench"),
    ],
)
def test_two_benchmarks_of_one_task_never_share_a_table(changes, benchmark):
    """Neither two judges nor two results of one judge, and every number says what it is about."""
    for name in ("UniSRM", "another"):
        made = [results("task1", figure("accuracy", 0.5)), results("task1", figure("accuracy", 0.6), name=name, **changes)]
        rows = list(csv.DictReader(io.StringIO(render(made, "csv"))))
        expected = {("1.0-abc task1/bench", "0.5"), (benchmark, "0.6")}
        assert {(row["benchmark"], row["value"]) for row in rows if row["table"] == "UniSRM Table 1"} == expected
        assert "## UniSRM, Table 1: all tasks (1.0-abc task1/bench)" in render(made, "md")


EVIL = '<script>alert(1)</script>|`x`\n=cmd|"/c"'


def test_a_models_name_is_text_in_every_form():
    """No tag on the page, no cell or line of its own in Markdown, no formula in a spreadsheet."""
    made = [results("task1", figure("accuracy", 0.5), name=EVIL), results("task1", figure("accuracy", 0.5), name="=1+1")]
    page = render(made, "html")
    assert "<script" not in page
    assert "default-src 'none'" in page
    assert not re.search(r'(src|href)="', page)
    markdown = render(made, "md")
    assert "<script" not in markdown
    widths = {re.sub(r"\\.", "", line).count("|") for line in markdown.splitlines() if line.startswith("|")}
    assert len(widths) == 2  # the overview, and the papers' tables with one column
    rows = list(csv.DictReader(io.StringIO(render(made, "csv"))))
    assert not [cell for row in rows for cell in row.values() if cell and cell.startswith("=")]


@given(st.text(min_size=1, max_size=40))
def test_any_name_gives_one_row_per_judge(name):
    made = [results("task1", figure("accuracy", 0.5), name=name)]
    rows = list(csv.DictReader(io.StringIO(render(made, "csv"))))
    assert [row["table"] for row in rows] == ["Overview", "UniSRM Table 1"]
    assert {row["value"] for row in rows} == {"0.5"}
    assert render(made, "md").count("\n| ") == 2 * 3  # header, rule and row of each table


def test_the_command_reads_files_and_writes_a_page(tmp_path):
    made = results("task1", figure("accuracy", 0.5), name="a judge")
    write_results(tmp_path / "one.bench.json", made, JUDGE_ANSWERS.empty_table())
    target = tmp_path / "page.html"
    arguments = ["bench", "table", str(tmp_path / "one.bench.json"), "--format", "html", "-o", str(target)]
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "a judge" in target.read_text()
    shown = CliRunner().invoke(app, ["bench", "table", str(tmp_path / "one.bench.json")], catch_exceptions=False)
    assert "50.00 (10.0 to 90.0, n 100)" in shown.output
