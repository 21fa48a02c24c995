"""What each export writes: golden files that the trainers' own loaders take (``make check-trainers``)."""

import json
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from contracts import plugins
from contracts.errors import DataError
from storage.export import FORMS, ExportedFile, fault
from storage.export_folder import ExportFolder, require_consistent
from tests.storage.exports.examples import PROMPT, example

GOLDEN = json.loads((Path(__file__).parent / "golden.json").read_text())
WRITTEN = [
    (name, form) for name in plugins.names("export") for form in plugins.load("export", name).forms if form != "released"
]


def rows_of(path: Path) -> list:
    """Return the rows of a file; bytes as text."""
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    return json.loads(json.dumps(pq.read_table(path).to_pylist(), default=bytes.decode))


@pytest.mark.parametrize(("name", "form"), WRITTEN)
def test_rows_are_those_that_trainers_take(tmp_path, name, form):
    folder = ExportFolder(tmp_path)
    path = plugins.configure("export", name).write([example(form, 0), example(form, 1)], form, "file", folder)
    assert {f"{name} {form}": rows_of(tmp_path / path)}.items() <= GOLDEN.items()


@pytest.mark.parametrize("name", plugins.names("export"))
def test_every_form_is_written_or_refused_with_a_reason(name):
    plugin = plugins.load("export", name)
    trained = set(FORMS) - {"released"}
    if "released" not in plugin.forms:
        assert set(plugin.forms) | set(plugin.refusals) == trained
    assert not set(plugin.forms) & set(plugin.refusals)
    assert all(plugin.refusals.values())


@pytest.mark.parametrize(("name", "form"), WRITTEN)
def test_the_same_rows_give_the_same_bytes(tmp_path, name, form):
    """However many batches they come in, and whatever clips were written before."""
    found = []
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        folder = ExportFolder(tmp_path / place)
        examples = [example(form, number) for number in range(70)]
        path = plugins.configure("export", name).write(iter(examples), form, "file", folder)
        found.append({file.name: file.read_bytes() for file in (tmp_path / place).rglob("*") if file.is_file()})
        assert len(rows_of(tmp_path / place / path)) == 70
    assert found[0] == found[1]


def test_parquet_declares_no_audio_features(tmp_path):
    """A declared Audio feature makes ``datasets`` decode with a library that trainers' environments lack."""
    plugins.configure("export", "verl").write([example("rl")], "rl", "file", ExportFolder(tmp_path))
    assert not {b"huggingface", b"ARROW:schema"} & set(pq.read_metadata(tmp_path / "file.parquet").metadata or {})


def test_llama_factory_describes_its_files(tmp_path):
    files = [
        ExportedFile(path=f"task1-rl-{form}.jsonl", configuration="task1", split="rl", form=form, rows=2)
        for form in ("sft", "answer_preference")
    ]
    plugins.configure("export", "llama_factory").finish(files, ExportFolder(tmp_path))
    described = json.loads((tmp_path / "dataset_info.json").read_text())
    assert described["task1-rl-sft"]["columns"] == {"messages": "messages", "audios": "audios"}
    assert described["task1-rl-answer_preference"]["ranking"] is True
    assert described["task1-rl-answer_preference"]["file_name"] == "task1-rl-answer_preference.jsonl"


def test_clips_are_named_by_their_content(tmp_path):
    """One clip in many rows is one file; no name from a release becomes a path."""
    folder = ExportFolder(tmp_path)
    assert folder.clip(b"fLaC x") == folder.clip(b"fLaC x") != folder.clip(b"fLaC y")
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 2


@pytest.mark.parametrize(
    ("form", "changes", "reason"),
    [
        ("sft", {"clips": (b"one",)}, "unequal_placeholders"),
        ("sft", {"prompt": PROMPT + " <audio>"}, "unequal_placeholders"),
        ("sft", {"answer": "Speech A <audio> is better"}, "control_text"),
        ("sft", {"answer": "Speech A is better<|im_end|>"}, "control_text"),
        ("sft", {"prompt": "<image>" + PROMPT}, "control_text"),
        ("sft", {"answer": " \n"}, "empty_answer"),
        ("answer_preference", {"rejected_answer": "Speech A is better"}, "nothing_to_prefer"),
        ("clip_preference", {"rejected_clips": (b"fLaC a0",)}, "nothing_to_prefer"),
        ("clip_preference", {"rejected_clips": ()}, "unequal_placeholders"),
        ("rl", {"reward": None}, "no_reward"),
        ("score", {"score": None}, "no_score"),
        ("score", {}, None),
        ("sft", {}, None),
        ("sft", {"answer": "<think>x</think><answer>Speech A is better</answer>"}, None),
    ],
)
def test_faults_of_rows(form, changes, reason):
    assert fault(replace(example(form), **changes), form) == reason


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"audios": ["a.flac"]}, "2 <audio> in messages and 1 clips"),
        ({"audios": "a.flac"}, "must be a list"),
        ({"audios": ["a.flac", "missing.flac"]}, "missing.flac is no file"),
        ({"audios": None}, "must be a list"),
        ({"rejected_messages": "same", "rejected_audios": "same"}, "what is rejected is what is chosen"),
        ({"rejected_messages": "same", "rejected_audios": "a.flac"}, "rejected_audios must be a list"),
        ({"rejected_response": "Speech A is better"}, "the rejected answer is the chosen one"),
    ],
)
def test_what_trainers_let_pass_is_refused(tmp_path, changes, message):
    """ms-swift trains on a row with two placeholders and one clip, with a warning only."""
    (tmp_path / "a.flac").write_bytes(b"fLaC")
    messages = [{"role": "user", "content": PROMPT}, {"role": "assistant", "content": "Speech A is better"}]
    row = {"messages": messages, "audios": ["a.flac", "a.flac"]}
    require_consistent(row, tmp_path, "file, line 1")
    same = {"rejected_messages": messages, "rejected_audios": row["audios"]}
    wrong = row | {name: same[name] if value == "same" else value for name, value in changes.items()}
    with pytest.raises(DataError, match=f"file, line 1: .*{message}"):
        require_consistent(wrong, tmp_path, "file, line 1")
