"""Stories: a row is found by any of its names, and its story holds what failed and where it was used."""

import pytest

from contracts.errors import DataError
from contracts.failures import failure
from contracts.ids import canonical_json
from contracts.schemas import SCHEMAS
from flows.run.pipeline import open_build
from flows.run.questions import open_ledger
from flows.stages.splits import splits_table
from flows.views.explain import story_of
from tests.annotate.ledgers import FULL, entry
from tests.flows.small import recipe
from tests.rows import rows
from tests.storage.test_release_writer import release_to, splits

TABLES = {
    "utterances": [
        {"utterance_id": "u1", "corpus": "c", "source_id": "read-1", "source_ref": "list.csv:2", "audio_path": "wav/1.wav"},
        {"utterance_id": "u2", "corpus": "c", "source_id": "read-2", "source_ref": "list.csv:3", "audio_path": "wav/2.wav"},
        {"utterance_id": "u3", "corpus": "d", "source_id": "read-2", "source_ref": "list.csv:3", "audio_path": "2.wav"},
    ],
    "recordings": [
        {"recording_id": "r1", "utterance_id": "u1", "audio_id": "clip1"},
        {"recording_id": "r2", "utterance_id": "u2", "audio_id": "clip2"},
    ],
    "prompts": [
        {"prompt_id": "p1", "group_id": "g1", "target_utterance_id": "u1", "reference_utterance_id": "u2"},
        {"prompt_id": "p2", "group_id": "g2", "target_utterance_id": "u3"},
    ],
    "samples": [
        {"sample_id": "s1", "prompt_id": "p1", "system": "human", "audio_id": "clip1"},
        {"sample_id": "s2", "prompt_id": "p1", "system": "espeak", "audio_id": "clip3"},
        {"sample_id": "s3", "prompt_id": "p2", "system": "espeak", "audio_id": "clip4"},
    ],
    "metrics": [{"metric_key": "m1", "sample_id": "s1", "metric": "wer"}],
    "pairs": [{"pair_id": "q1", "prompt_id": "p1", "kind": "human", "sample_a": "s2", "sample_b": "s1"}],
    "judgments": [{"judgment_id": "j1", "pair_id": "q1", "task": "task1", "verdict": "a"}],
    "judgments@again": [
        {"judgment_id": "j3", "pair_id": "q1", "task": "task1"},
        {"judgment_id": "j9", "pair_id": "pair that the recipe has no more", "task": "task1"},
    ],
    "writings@writings": [{"writing_id": "w1", "subject": "prompts", "subject_id": "p1", "task": "scenario"}],
    "writings@reviews": [{"writing_id": "w2", "subject": "judgments", "subject_id": "j1", "task": "consistency"}],
    "votes@listening": [{"vote_id": "v1", "pair_id": "q1", "annotator_id": "ann"}],
    "labels": [{"item_id": "q1", "label": "a"}],
    "drops@utterances": [
        {"stage": "utterances", "row_id": "u9", "evidence": canonical_json({"source_id": "read-9", "source_ref": "list.csv:9"})}
    ],
    "drops@samples": [{"stage": "samples", "row_id": "s8", "evidence": canonical_json({"prompt_id": "p1"})}],
    "drops@texts": [{"stage": "texts", "row_id": "p1", "reason": reason, "evidence": "{}"} for reason in ("one", "two")],
    "failures@samples": [failure("samples", "s9", "p1", "engine", "it broke"), failure("samples", "s7", "p2", "engine", "-")],
    "failures@metrics": [failure("metrics", "m2", "s2", "model", "it broke")],
    "failures@judgments": [failure("judgments", "j2", "q1", "malformed", "no score")],
    "failures@reviews": [failure("reviews", "w3", "j1", "malformed", "no reason")],
    "failures@writings": [failure("writings", "w4", "p1", "malformed", "no scene")],
}
OF_PAIR = {"m2", "j2", "w3"}


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """A workspace of two prompts, one of them with a pair, in which something went wrong everywhere; it has a ledger."""
    folder = tmp_path_factory.mktemp("stories")
    build = open_build(recipe(folder), str(folder / "ws"))
    for name, some in TABLES.items():
        build.tables.replace(name, rows(SCHEMAS[name.partition("@")[0]], *some))
    build.tables.replace(splits_table(build), rows(SCHEMAS["splits"], {"item_id": "q1", "split": "rl"}))
    with open_ledger(build, paying=True) as ledger:
        keys = ["j1", "j2", "w1", "w4"]
        ledger.claim([entry(key, row_id=key) for key in keys])
        ledger.commit([(key, FULL) for key in keys])
    return build


def unhappy(story, prefix=""):
    """Return the keys of all rows that failed or were dropped."""
    chapters = [f"{prefix}{verb} in stage" for verb in ("failed", "dropped")]
    return {row["row_id"] for name, some in story.items() if name.startswith(tuple(chapters)) for row in some}


@pytest.mark.parametrize(
    ("row_id", "expected"),
    [
        ("q1", OF_PAIR),
        ("s2", OF_PAIR),
        ("s1", OF_PAIR - {"m2"}),
        ("p1", OF_PAIR | {"p1", "s8", "s9", "w4"}),
        ("u1", OF_PAIR | {"p1", "s8", "s9", "w4"}),
        ("u2", OF_PAIR | {"p1", "s8", "s9", "w4"}),
        ("u3", {"s7"}),
    ],
)
def test_a_story_holds_what_failed_of_all_that_was_made_from_the_row(build, row_id, expected):
    """By the row that it was to become of as well as by its own key; nothing of other rows."""
    assert unhappy(story_of(build, row_id)) == expected


def test_a_row_that_was_dropped_twice_in_a_stage_has_both_reasons(build):
    """A prompt leaves in several variants."""
    assert [row["reason"] for row in story_of(build, "p1")["dropped in stage texts"]] == ["one", "two"]


def test_the_story_of_a_pair_tells_what_was_not_written_of_its_prompt(build):
    """A missing scene can be why it was not judged; other systems' samples are not its story."""
    assert unhappy(story_of(build, "q1"), prefix="prompt: ") == {"w4"}


@pytest.mark.parametrize(
    ("name", "chapter"),
    [
        *((name, "utterance u1") for name in ("read-1", "list.csv:2", "wav/1.wav", "1.wav", "r1")),
        *((name, "utterance u2") for name in ("wav/2.wav", "clip2", "clip2.flac", "blobs/cl/clip2.flac")),
        *((name, "utterance u3") for name in ("2.wav",)),
        *((name, "sample s1") for name in ("clip1.flac", "m1")),
        *((name, "sample s2") for name in ("clip3", "m2")),
        *((name, "prompt p1") for name in ("g1", "w1", "s9", "w4")),
        *((name, "pair q1") for name in ("j1", "j2", "j3", "v1", "w2", "w3")),
    ],
)
def test_rows_are_found_by_their_names(build, name, chapter):
    """Ids of a corpus, lines, files, clips, groups, and keys of what was said, measured or failed."""
    assert next(iter(story_of(build, name))) == chapter


def test_an_utterance_that_cannot_be_used_is_found_by_its_corpus_s_names(build):
    """It is in no table but that of drops."""
    for name in ("read-9", "list.csv:9", "u9"):
        assert unhappy(story_of(build, name)) == {"u9"}


def test_names_of_several_rows_and_of_none_are_errors(build):
    """The first names the rows, to explain one of them."""
    with pytest.raises(DataError, match=r"'read-2' stands for 2 rows .*: explain one of utterance u2, utterance u3"):
        story_of(build, "read-2")
    with pytest.raises(DataError, match="has the id 'nothing'"):
        story_of(build, "nothing")
    with pytest.raises(DataError, match="has the id 'j9'"):
        story_of(build, "j9")


@pytest.mark.parametrize("utterance", ["u1", "u2"])
def test_the_story_of_an_utterance_says_where_it_was_used(build, utterance):
    """As target and as reference: recordings, prompts, samples, pairs with label and split, questions and their replies."""
    story = story_of(build, utterance)
    used = {name: [next(iter(line.values())) for line in some] for name, some in story.items() if name.startswith("used in ")}
    assert used == {
        "used in recordings": ["r1" if utterance == "u1" else "r2"],
        "used in prompts": ["p1"],
        "used in samples": ["s1", "s2"],
        "used in pairs": ["q1"],
        "used in judgments": ["j1", "j3"],
        "used in writings": ["w2", "w1"],
    }
    assert story["used in pairs"][0].items() >= {"label": "a", "split": "rl"}.items()
    for row_id, text in {"j1": None, "j2": FULL.text, "w1": None, "w4": FULL.text}.items():
        (line,) = story[f"ledger of {row_id}"]
        assert (line["state"], line.get("text")) == ("replied", text), "a reply that made no row is shown"
    assert "used in pairs" not in story_of(build, "u3")


def test_released_rows_are_found(tmp_path):
    """By the id in the row, even if the workspace has no such pair any more; file and row lead to it."""
    workspace, name = release_to(tmp_path / "ws")
    pair = splits()[1].rows[0]["pair_id"][3].as_py()
    build = open_build(recipe(tmp_path), workspace.url)
    assert story_of(build, pair)["released"] == [
        {"pair_id": pair, "release": name.rpartition("/")[2], "file": "task1/rl-00000-of-00001.parquet", "row": 3}
    ]
    shard = tmp_path / "ws" / name / "task1" / "rl-00000-of-00001.parquet"
    shard.write_bytes(b"PAR1")
    seen = build.as_read_only()
    with pytest.raises(DataError, match=r"rl-00000-of-00001\.parquet cannot be read"):
        story_of(seen, pair)
