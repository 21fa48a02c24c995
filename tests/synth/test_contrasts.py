"""Contrasts: of each prompt one good clip and one that is worse in a known way."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from contracts.schemas import PROMPTS, UTTERANCES
from splits.groups import leakage_groups
from synth import contrasts
from synth.borrowing import Blocks, Borrowed
from synth.contrasts import Means, Source
from synth.prompt_choice import choose
from synth.requests import Candidate
from synth.takes import Take

EMOTIONS = ("Neutral", "Angry", "Happy", "Sad", "Surprise")
AUDIO = {"sample_rate_hz": 16000}
WORDS = ("the boat", "a lamp", "seven birds", "my brother", "old paper", "green water", "that house", "the last train")
RECORDING = Source(name="recording")
REAL = (
    Source(name="t", corruption="real_text", recording=Borrowed(text="other", emotion="same")),
    Source(name="e", corruption="real_emotion", recording=Borrowed(text="same", emotion="other", speaker="same")),
    Source(name="b", corruption="real_both", recording=Borrowed(text="other", emotion="other")),
)


def acted(texts: int, speakers: int) -> pa.Table:
    """Return a corpus in which every speaker says every text in five emotions."""
    rows = [
        {
            "utterance_id": f"{speaker}-{text:03}-{emotion}",
            "corpus": "acted",
            "source_id": f"{speaker}-{text:03}-{emotion}",
            "audio_path": f"{speaker}/{text:03}/{emotion}.wav",
            "text": f"{WORDS[text % 8]} and {WORDS[text // 8 % 8]} number {text} here",
            "language": "en",
            "speaker_id": f"s{speaker}",
            "style": "expressive",
            "emotion": emotion,
            "duration_s": 2.0,
            "license": "CC0-1.0",
        }
        for speaker in range(speakers)
        for text in range(texts)
        for emotion in EMOTIONS
    ]
    return pa.Table.from_pylist(rows, schema=UTTERANCES)


def system(name: str, **details: Any) -> Candidate:
    return Candidate(system=name, engine=name, params={}, voices=("v",), voices_per_prompt=1, **details)


def made(
    utterances: pa.Table,
    negatives: tuple[Source, ...],
    *,
    positives: tuple[Source, ...] = (RECORDING,),
    systems: tuple[Candidate, ...] = (),
    blocks: int = 4,
    seed: int = 1,
    written: Mapping[str, Mapping[str, str]] | None = None,
    prompts: pa.Table | None = None,
) -> dict[str, dict[bool, dict[str, Any]]]:
    """Return prompt -> whether it is the worse clip -> the request."""
    if prompts is None:
        prompts, _ = choose(utterances, seed=seed, reference="none", targets="recordings")
    means = Means(
        systems={one.system: one for one in systems},
        can_speak=lambda _system, language: language == "en",
        blocks=Blocks(utterances, blocks=blocks, seed=seed),
        audio=AUDIO,
        seed=seed,
        written=written or {},
    )
    found = dict[str, dict[bool, dict[str, Any]]]()
    for row in contrasts.wanted(prompts, list(positives), list(negatives), means).to_pylist():
        if row["system"] is None:
            continue
        found.setdefault(row["subject_id"], {})[row["corruption"] is not None] = row
    return found


def test_each_recording_gets_itself_and_one_recording_that_differs_as_the_corruption_says() -> None:
    utterances = acted(12, 2)
    known = {row["utterance_id"]: row for row in utterances.to_pylist()}
    pairs = made(utterances, REAL)
    assert len(pairs) == utterances.num_rows
    for clips in pairs.values():
        good, worse = known[clips[False]["target_utterance_id"]], known[clips[True]["own_recording_id"]]
        assert clips[False]["own_recording_id"] is None
        same = {name: good[name] == worse[name] for name in ("text", "emotion", "speaker_id")}
        match clips[True]["corruption"]:
            case "real_text":
                assert (same["text"], same["emotion"]) == (False, True)
            case "real_emotion":
                assert same == {"text": True, "emotion": False, "speaker_id": True}
            case "real_both":
                assert (same["text"], same["emotion"]) == (False, False)
        assert clips[True]["spoken_text"] == (None if same["text"] else worse["text"])
    assert {clips[True]["corruption"] for clips in pairs.values()} == {"real_text", "real_emotion", "real_both"}


def test_voice_and_rate_of_a_negative_are_drawn_from_those_listed() -> None:
    """One of each for a text, all about equally often, and independent of each other (chi-squared at 0.1 %)."""
    takes = tuple(Take(duration_factor=factor) for factor in (0.85, 1.0, 1.2))
    voices = replace(system("plain", emotion="neutral"), voices=("awb", "rms", "slt"), takes=takes)
    spoken = Source(name="n", corruption="tts_emotion", systems=("plain",), reference=Borrowed(emotion="other"))
    pairs = made(acted(150, 2), (spoken,), systems=(voices,))
    drawn = Counter((clips[True]["voice"], clips[True]["duration_factor"]) for clips in pairs.values())
    assert len(pairs) == 150 * 2 * 4, "a neutral voice is no negative of what is neutral"
    assert len(drawn) == 9
    assert chisquare(list(drawn.values())).pvalue > 0.001


def test_sources_are_drawn_as_often_as_their_shares_say() -> None:
    shares = {"real_text": 1.0, "real_emotion": 3.0, "real_both": 1.0}
    sources = tuple(replace(source, share=shares[source.corruption or ""]) for source in REAL)
    drawn = Counter(clips[True]["corruption"] for clips in made(acted(40, 10), sources, blocks=2).values())
    total = drawn.total()
    for name, share in shares.items():
        expected = share / 5
        assert abs(drawn[name] / total - expected) < 4 * (expected * (1 - expected) / total) ** 0.5


def test_what_is_borrowed_ties_no_two_blocks_together() -> None:
    utterances = acted(30, 2)
    prompts, _ = choose(utterances, seed=1, reference="none", targets="recordings")
    pairs, text = made(utterances, REAL, blocks=6), {row["utterance_id"]: row["text"] for row in utterances.to_pylist()}
    keys = prompts.select(["group_id", "text", "reference_utterance_id", "target_utterance_id"]).to_pylist()
    for clips in pairs.values():
        worse = clips[True]["own_recording_id"]
        keys.append({"group_id": clips[True]["group_id"], "text": text[worse], "target_utterance_id": worse})
    keyed = pa.Table.from_pylist(keys, schema=pa.schema([(name, pa.string()) for name in keys[0]]))
    assert len(leakage_groups(keyed, similarity=1.0)["leakage_group"].unique()) == 6


def test_another_prompt_or_a_changed_share_of_nothing_moves_no_choice() -> None:
    utterances = acted(10, 2)
    prompts, _ = choose(utterances, seed=1, reference="none", targets="recordings")
    whole = made(utterances, REAL, prompts=prompts)
    part = made(utterances, REAL, prompts=prompts.slice(0, 7))
    assert part == {prompt: whole[prompt] for prompt in prompts["prompt_id"].to_pylist()[:7]}


def test_a_source_that_finds_nothing_leaves_its_prompts_to_the_others() -> None:
    lonely = acted(1, 1)
    assert {clips[True]["corruption"] for clips in made(lonely, REAL).values()} == {"real_emotion"}
    assert made(lonely, (REAL[0],)) == {}


def test_a_prompt_of_which_no_contrast_can_be_made_is_one_row_without_a_system() -> None:
    prompts, _ = choose(acted(1, 1), seed=1, reference="none", targets="recordings")
    means = Means(systems={}, can_speak=lambda *_: True, blocks=Blocks(acted(1, 1), blocks=1, seed=1), audio=AUDIO, seed=1)
    rows = contrasts.wanted(prompts, [RECORDING], [REAL[0]], means)
    assert rows["subject_id"].to_pylist()
    assert rows["system"].null_count == rows.num_rows == prompts.num_rows
    assert set(rows["subject_id"].to_pylist()) == set(prompts["prompt_id"].to_pylist())


def test_an_unknown_emotion_is_neither_the_same_nor_another() -> None:
    utterances = acted(2, 1)
    place = utterances.column_names.index("emotion")
    assert made(utterances.set_column(place, "emotion", pa.nulls(utterances.num_rows, pa.string())), REAL) == {}


CLONED = Source(name="c", corruption="tts_emotion", systems=("clone",), reference=Borrowed(speaker="same", emotion="other"))


def test_a_clone_speaks_the_text_after_a_recording_of_the_speaker_in_another_emotion() -> None:
    utterances = acted(6, 2)
    known = {row["utterance_id"]: row for row in utterances.to_pylist()}
    pairs = made(utterances, (CLONED,), systems=(system("clone", clones_voice=True),))
    assert len(pairs) == utterances.num_rows
    for clips in pairs.values():
        worse, target = clips[True], known[clips[False]["target_utterance_id"]]
        reference = known[worse["own_reference_id"]]
        assert worse["reference_utterance_id"] == worse["own_reference_id"]
        assert worse["reference_text"] == reference["text"]
        assert (worse["text"], worse["spoken_text"], worse["system"]) == (target["text"], None, "clone")
        assert reference["speaker_id"] == target["speaker_id"]
        assert reference["emotion"] != target["emotion"]


def test_a_system_with_a_voice_of_its_own_speaks_where_its_emotion_is_another_and_nobody_is_to_be_cloned() -> None:
    utterances, plain = acted(6, 1), system("plain", emotion="Neutral")
    anyone = replace(CLONED, systems=("plain",), reference=Borrowed(emotion="other"))
    spoken = made(utterances, (anyone,), systems=(plain,))
    known = {row["utterance_id"]: row["emotion"] for row in utterances.to_pylist()}
    assert {known[clips[False]["target_utterance_id"]] for clips in spoken.values()} == set(EMOTIONS) - {"Neutral"}
    assert made(utterances, (replace(CLONED, systems=("plain",)),), systems=(plain,)) == {}
    assert made(utterances, (anyone,), systems=(replace(plain, emotion=None),)) == {}


def test_a_written_text_is_spoken_and_one_that_nobody_wrote_is_a_request_without_text() -> None:
    utterances = acted(2, 1)
    source = Source(name="w", corruption="text", systems=("plain",), speaks="negative_text")
    prompts, _ = choose(utterances, seed=1, reference="none", targets="recordings")
    first = prompts["prompt_id"][0].as_py()
    pairs = made(
        utterances, (source,), systems=(system("plain"),), written={"negative_text": {first: "wrong words"}}, prompts=prompts
    )
    assert pairs[first][True]["text"] == pairs[first][True]["spoken_text"] == "wrong words"
    assert {clips[True]["text"] for prompt, clips in pairs.items() if prompt != first} == {None}


def test_turns_borrow_from_their_own_dialogue() -> None:
    rows = [
        row
        | {"dialogue_id": f"d{number // 4}", "turn": number % 4 + 1, "speaker_id": f"s{number % 2}", "text": f"turn {number}"}
        for number, row in enumerate(acted(8, 1).to_pylist())
    ]
    utterances = pa.Table.from_pylist(rows, schema=UTTERANCES)
    prompts, _ = choose(utterances, seed=1, reference="none", history=True)
    swap = Source(name="s", corruption="speaker_swap", systems=("clone",), reference=Borrowed(speaker="other"))
    again = Source(name="again", systems=("clone",), reference=Borrowed(speaker="same"))
    clone = (system("clone", clones_voice=True),)
    pairs = made(utterances, (swap,), positives=(again,), systems=clone, prompts=prompts)
    known = {row["utterance_id"]: row for row in rows}
    of_target = {row["prompt_id"]: known[row["target_utterance_id"]] for row in prompts.to_pylist()}
    assert pairs
    for prompt, clips in pairs.items():
        for is_worse, clip in clips.items():
            reference, target = known[clip["own_reference_id"]], of_target[prompt]
            assert reference["dialogue_id"] == target["dialogue_id"]
            assert reference is not target
            assert (reference["speaker_id"] != target["speaker_id"]) == is_worse


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(30)), st.integers(0, 3))
def test_the_order_of_the_corpus_and_of_the_sources_does_not_matter(order: list[int], turned: int) -> None:
    utterances = acted(6, 1)
    sources = (*REAL[turned:], *REAL[:turned])
    prompts, _ = choose(utterances, seed=2, reference="none", targets="recordings")
    shuffled = made(utterances.take(order), sources, prompts=prompts, seed=2)
    assert shuffled == made(utterances, REAL, prompts=prompts, seed=2)


def test_every_recording_is_a_prompt() -> None:
    prompts, _ = choose(acted(2, 1), seed=1, reference="none", targets="recordings")
    assert prompts.schema == PROMPTS
    assert prompts.num_rows == 10
