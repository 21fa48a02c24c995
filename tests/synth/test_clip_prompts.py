"""Clips of a corpus as samples of prompts of their own."""

from contracts.conformance import conform
from contracts.schemas import RECORDINGS, UTTERANCES
from synth import clip_prompts, rated_clips
from tests.rows import rows

FOUND = rows(
    UTTERANCES,
    {"utterance_id": "u1", "corpus": "c", "content_id": "one", "text": "hello", "system": "tts", "license": "MIT"},
    {"utterance_id": "u2", "corpus": "c", "content_id": "one", "text": None, "system": None, "license": "CC0-1.0"},
    {"utterance_id": "u3", "corpus": "c", "content_id": None, "text": "bye"},
    {"utterance_id": "u4", "corpus": "other", "content_id": "one"},
)


def test_clips_of_one_content_are_one_text_group():
    """Of one corpus; a clip without a content is a group of its own."""
    groups = clip_prompts.grouped(FOUND)["group_id"].to_pylist()
    assert groups[0] == groups[1]
    assert len(set(groups)) == 3


def test_each_clip_has_a_prompt_of_its_own():
    """With the text that the clip says, not that of its content's first clip."""
    prompts = conform(clip_prompts.prompts(clip_prompts.grouped(FOUND)), "prompts")
    assert len(set(prompts["prompt_id"].to_pylist())) == 4
    assert sorted(prompts["text"].to_pylist(), key=str) == [None, None, "bye", "hello"]
    assert prompts["target_utterance_id"].null_count == 4, "no text was to be spoken"


def test_a_recording_is_the_sample_of_its_system():
    """A clip without a system is a person's; one that could not be recorded is no sample."""
    recordings = rows(RECORDINGS, *({"recording_id": f"r{n}", "utterance_id": f"u{n}", "audio_id": f"a{n}"} for n in (1, 2)))
    grouped = clip_prompts.grouped(FOUND)
    samples = {row["utterance_id"]: row for row in conform(rated_clips.samples(grouped, recordings), "samples").to_pylist()}
    assert set(samples) == {"u1", "u2"}
    assert [(samples[one]["system"], samples[one]["is_synthetic"]) for one in ("u1", "u2")] == [("tts", True), ("human", False)]
    assert samples["u1"]["prompt_id"] == grouped["prompt_id"][0].as_py()
    assert (samples["u2"]["license"], samples["u2"]["audio_id"]) == ("CC0-1.0", "a2")
