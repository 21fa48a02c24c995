"""Prompts out, clips in: a system that runs elsewhere, played by an engine that sees nothing but the exported files."""

import json
import shutil

import numpy as np
import pytest
import soundfile
import yaml
from typer.testing import CliRunner

from contracts import plugins
from contracts.errors import DataError, RecipeError
from flows.clips.exported_prompts import export_prompts
from flows.clips.returned_clips import import_clips
from flows.entry.prompts_cli import prompts as commands
from flows.run.pipeline import open_build
from flows.run.wanted import wanted_rows
from synth.engine import RenderRequest
from tests.flows.small import SOUNDS, add_recording, corpus, recipe, run, without_ray

CARDS = ["ten of clubs", "four queen of clubs", "seven of clubs", "five five", "eight of spades four of clubs seven of hearts"]
SYSTEMS = [{"name": "espeak", "engine": "espeak", "voices": ["en-us"]}]


@pytest.fixture(scope="module")
def spoken(tmp_path_factory):
    """A build up to its texts, the export, and the clips of all of it."""
    folder = tmp_path_factory.mktemp("clips")
    corpus(folder / "corpus", [])
    for number, text in enumerate(CARDS, start=1):
        shutil.copy(SOUNDS.parent / "cards" / f"{number:03}.wav", folder / "corpus")
        add_recording(folder / "corpus", {"id": text, "audio": f"{number:03}.wav", "text": text, "speaker": "cards"})
    path = recipe(folder, systems=SYSTEMS, metrics=[], prompts={"reference": "same_speaker"}, filters=[])
    build = open_build(path, str(folder / "ws"))
    with without_ray():
        run(build, "texts")
    export_prompts(build, folder / "out")
    session = plugins.configure("engine", "flite").open()
    (folder / "back").mkdir()
    for line in exported(folder):
        request = RenderRequest(text=line["text"], language="en", voice="slt", seed=0, reference=None)
        [speech] = session.render([request])
        soundfile.write(folder / "back" / f"{line['id']}.wav", speech.samples, speech.sample_rate_hz)
    return folder


@pytest.fixture
def folder(spoken, tmp_path):
    """A copy of all that, but the corpus and the workspace, which nothing here changes."""
    for name in ("out", "back"):
        shutil.copytree(spoken / name, tmp_path / name)
    return tmp_path


def exported(folder):
    return [json.loads(line) for line in (folder / "out" / "prompts.jsonl").read_text().splitlines()]


def opened(spoken):
    return open_build(spoken / "small.yaml", str(spoken / "ws"))


def bring(spoken, folder, **changes):
    options = {"system": "far", "licence": "CC0-1.0"} | changes
    return import_clips(opened(spoken), folder / "back", folder / "far", **options)


def manifest(folder):
    return [json.loads(line) for line in (folder / "far" / "manifest.jsonl").read_text().splitlines()]


def test_the_export_is_what_an_engine_here_is_given(spoken):
    """Every prompt with its text, and the very clip of its reference; a second export is the same, byte for byte."""
    build, lines = opened(spoken), exported(spoken)
    prompts = {row["prompt_id"]: row for row in build.tables.read("prompts").to_pylist()}
    recordings = {row["utterance_id"]: row["audio_id"] for row in build.tables.read("recordings").to_pylist()}
    assert [line["id"] for line in lines] == sorted(prompts)
    for line in lines:
        prompt = prompts[line["id"]]
        assert all(line[name] == prompt[name] for name in ("text", "language", "style", "reference_text"))
        pcm, rate = soundfile.read(spoken / "out" / line["reference_audio"], dtype="int16")
        expected, expected_rate = build.blobs.pcm(recordings[prompt["reference_utterance_id"]])
        assert rate == expected_rate
        assert np.array_equal(pcm, expected)
    assert len(lines) >= 6
    export_prompts(build, spoken / "once more")
    assert (spoken / "once more" / "prompts.jsonl").read_bytes() == (spoken / "out" / "prompts.jsonl").read_bytes()
    with pytest.raises(DataError, match="is there already"):
        export_prompts(build, spoken / "out")


def test_what_comes_back_is_a_system_of_the_recipe(spoken, folder, in_this_process):
    """Each clip stands beside the others of its prompt; one that was made for another prompt does not, and the pairs follow."""
    found = bring(spoken, folder)
    lines = exported(folder)
    assert (found.clips, found.prompts, found.without, found.problems) == (len(lines), len(lines), 0, ())
    first, *rest = manifest(folder)
    stray = {**first, "content_id": rest[0]["content_id"]}  # the text of one prompt after the reference of another
    (folder / "far" / "manifest.jsonl").write_text("\n".join(map(json.dumps, [stray, *rest])))
    literals = yaml.safe_load((spoken / "small.yaml").read_text())
    literals["corpora"].append({"name": "far-clips", "reader": "manifest", "root": str(folder / "far")})
    literals["systems"].append({"name": "far", "clips": "far-clips"})
    literals["name"] = "with-far"
    (folder / "with.yaml").write_text(yaml.safe_dump(literals))
    shutil.copytree(spoken / "ws", folder / "ws")
    build = open_build(folder / "with.yaml", str(folder / "ws"))
    before = build.tables.read("prompts")["prompt_id"].to_pylist()
    books = run(build, "pairs")
    assert build.tables.read("prompts")["prompt_id"].to_pylist() == before
    far = [row for row in wanted_rows(build, "samples").to_pylist() if row["system"] == "far"]
    sources = {row["utterance_id"]: row["source_id"] for row in build.tables.read("utterances").to_pylist()}
    assert sorted(row["prompt_id"] for row in far) == sorted(row["content_id"] for row in rest)
    assert all(sources[row["utterance_id"]] == f"{row['prompt_id']}-1" for row in far)
    assert books["samples"].dropped == {"no_clip": 1}
    assert books["pairs"].rows_out == 3 * (len(lines) - 1) + 1


def test_further_takes_and_other_names_come_by_a_list(spoken, folder):
    """clips.jsonl says which file is whose; without it, what follows the id in a name is the take."""
    one, two = [line["id"] for line in exported(folder)][:2]
    for take in (f"{one}.2.wav", f"{one}-b.WAV"):
        shutil.copy(folder / "back" / f"{one}.wav", folder / "back" / take)
    found = bring(spoken, folder)
    assert (found.clips, found.prompts) == (len(exported(folder)) + 2, len(exported(folder)))
    assert sorted(row["id"] for row in manifest(folder) if row["content_id"] == one) == [f"{one}-1", f"{one}-2", f"{one}-3"]
    assert {path.name for path in (folder / "far" / "audio").iterdir()} == {row["audio"][6:] for row in manifest(folder)}
    shutil.rmtree(folder / "far")
    (folder / "back" / "deep").mkdir()
    (folder / "back" / f"{two}.wav").rename(folder / "back" / "deep" / "any name.wav")
    lines = [{"id": two, "audio": "deep/any name.wav", "text": "whatever they kept"}, {"id": one, "audio": f"{one}.wav"}]
    (folder / "back" / "clips.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n\n")
    found = bring(spoken, folder)
    assert (found.clips, found.prompts, found.without) == (2, 2, len(exported(folder)) - 2)
    texts = {line["id"]: line["text"] for line in exported(folder)}
    assert [(row["content_id"], row["text"]) for row in manifest(folder)] == [(two, texts[two]), (one, texts[one])]


def test_bad_clips_are_named_and_nothing_is_imported(spoken, folder):
    """Each is told by its file, with what is wrong; the others are taken where the user says so."""
    ids = [line["id"] for line in exported(folder)]
    back = folder / "back"
    (back / f"{ids[0]}.wav").write_bytes(b"no audio at all")
    soundfile.write(back / f"{ids[1]}.wav", np.zeros(16000, np.float32), 16000)
    speech, rate = soundfile.read(back / f"{ids[2]}.wav")
    soundfile.write(back / f"{ids[2]}.wav", speech[len(speech) // 2 :][: rate // 5], rate)
    soundfile.write(back / f"{ids[3]}.wav", speech[::2], rate // 2)
    soundfile.write(back / f"{ids[4]}.wav", np.tile(speech, 20), rate)
    shutil.copy(back / f"{ids[5]}.wav", back / "of nobody.wav")
    (back / "notes.txt").write_text("hello")
    (back / f"{ids[5]}.wav").unlink()
    (back / f"{ids[5]}.wav").symlink_to(spoken / "corpus" / "001.wav")
    wrong = {
        f"{ids[0]}.wav": "undecodable", f"{ids[1]}.wav": "silent", f"{ids[2]}.wav": "too_short", f"{ids[3]}.wav": "narrow_band",
        f"{ids[4]}.wav": "too_long", "of nobody.wav": "'of' is no id of a prompt", "notes.txt": "no audio file by its name",
        f"{ids[5]}.wav": "is a link out of the folder",
    }  # fmt: skip
    with pytest.raises(DataError, match=r"8 bad clips.*nothing was imported") as caught:
        bring(spoken, folder)
    for file, what in wrong.items():
        assert any(f"'{file}'" in part and what in part for part in str(caught.value).split("; ")), (
            file,
            what,
            str(caught.value),
        )
    assert [path.name for path in sorted(folder.iterdir())] == ["back", "out"]
    shutil.copy(spoken / "back" / f"{ids[0]}.wav", back / f"{ids[0]}.wav")
    found = bring(spoken, folder, skip_bad=True)
    assert (found.clips, found.without, len(found.problems)) == (1 + len(ids) - 6, 5, 7)
    assert sorted(row["content_id"] for row in manifest(folder)) == [ids[0], *ids[6:]]


def test_clips_keep_to_the_limits_of_the_recipe(spoken, folder):
    """What is said is compared with the text, where the recipe wants it; the message has the transcript."""
    if advice := plugins.configure("metric", "wer").missing():
        pytest.skip(advice)
    longest = sorted(exported(folder), key=lambda line: len(line["text"]))[-2:]
    one, other = (folder / "back" / f"{line['id']}.wav" for line in longest)
    shutil.copy(one, other)
    for file in (folder / "back").iterdir():
        if file not in {one, other}:
            file.unlink()
    literals = yaml.safe_load((spoken / "small.yaml").read_text())
    literals["clip_limits"] = [{"name": "wer", "value": "wer", "at_most": 0.6}]
    (folder / "limited.yaml").write_text(yaml.safe_dump(literals))
    build = open_build(folder / "limited.yaml", str(spoken / "ws"))
    with pytest.raises(DataError, match=rf"1 bad clips: '{other.name}': over_limit: wer [0-9.]+, at most 0.6: .*transcript"):
        import_clips(build, folder / "back", folder / "far", system="far", licence="CC0-1.0")


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ('{"id": "ID", "audio": "../corpus/001.wav"}', "'../corpus/001.wav' is no path inside the folder"),
        ('{"id": "ID", "audio": "/etc/passwd"}', "'/etc/passwd' is no path inside the folder"),
        ('{"id": "ID", "audio": "C:\\\\clips\\\\a.wav"}', "is no path inside the folder"),
        ('{"id": "ID", "audio": "https://example.org/a.wav"}', "is no path inside the folder"),
        ('{"id": "ID", "audio": "out/001.wav"}', "is a link out of the folder"),
        ('{"id": "ID", "audio": "none.wav"}', "there is no file 'none.wav'"),
        ('{"id": "ID", "audio": "deep"}', "no audio file by its name"),
        ('{"id": "../../x", "audio": "ID.wav"}', "'../../x' is no id of a prompt"),
        ('{"id": 5, "audio": "ID.wav"}', "id: is needed, as a text"),
        ('{"id": "ID"}', "audio: is needed, as a text"),
        ('{"id": "ID", "id": "ID", "audio": "ID.wav"}', "no JSON: "),
        ('{"id": "ID", "audio": "\\u0000.wav"}', "is no path inside the folder"),
        ('["ID"]', "no object"),
        ("{", "no JSON"),
        ('{"id": "ID", "audio": "ID.wav"}', "stands for this prompt already"),
    ],
)
def test_a_bad_line_is_named_and_leads_nowhere(spoken, folder, line, what):
    one = exported(folder)[0]["id"]
    (folder / "back" / "out").symlink_to(spoken / "corpus")
    good = json.dumps({"id": one, "audio": f"{one}.wav"})
    (folder / "back" / "clips.jsonl").write_text(good + "\n" + line.replace("ID", one) + "\n")
    with pytest.raises(DataError) as caught:
        bring(spoken, folder)
    assert "clips.jsonl, line 2: " in str(caught.value)
    assert what in str(caught.value)
    assert not (folder / "far").exists()


def test_the_commands_say_what_they_did_and_what_to_write(spoken, folder):
    def call(*arguments):
        return CliRunner().invoke(commands, [*map(str, arguments), "-w", str(spoken / "ws")], catch_exceptions=False)

    path = spoken / "small.yaml"
    done = call("export", path, folder / "new")
    count = len(exported(folder))
    assert done.output.startswith(f"{count} prompts, ")
    (folder / "back" / "notes.txt").write_text("hello")
    arguments = ["import", path, folder / "back", folder / "far", "--system", "far", "--license", "cc0-1.0", "--skip-bad"]
    done = call(*arguments)
    assert f"{count} clips of {count} prompts" in done.output
    assert "left out: 'notes.txt'" in done.output
    assert "systems: - {name: far, clips: far-clips}" in done.output
    assert {row["license"] for row in manifest(folder)} == {"CC0-1.0"}
    with pytest.raises(RecipeError, match="there is no licence 'mine'"):
        call(*arguments[:4], "--system", "far", "--license", "mine")
    with pytest.raises(RecipeError, match="cannot be the name of a system"):
        call(*arguments[:4], "--system", "../far", "--license", "MIT")


def test_nothing_to_export_says_what_to_build(tmp_path):
    corpus(tmp_path / "corpus", [])
    build = open_build(recipe(tmp_path), str(tmp_path / "ws"))
    with pytest.raises(DataError, match=r"no prompts .* yet: build the recipe with --until texts first"):
        export_prompts(build, tmp_path / "out")
    assert not (tmp_path / "out").exists()
