"""Which samples are wanted: stable ids, voices by hash."""

import pyarrow as pa

from contracts.ids import row_id
from contracts.schemas import PROMPTS
from synth.requests import Candidate, wanted

AUDIO = {"sample_rate_hz": 16000}


def prompts(count):
    rows = [
        {field.name: None if field.nullable else "-" for field in PROMPTS}
        | {"prompt_id": f"p{n}", "group_id": f"g{n}", "text": f"text {n}", "target_utterance_id": f"u{n}"}
        for n in range(count)
    ]
    return pa.Table.from_pylist(rows, schema=PROMPTS)


def candidate(name="one", voices=("a", "b", "c"), each=1, params=None, speaks="target"):
    return Candidate(system=name, engine="espeak", params=params or {}, voices=voices, voices_per_prompt=each, speaks=speaks)


def ids(table):
    return set(table["row_id"].to_pylist())


def test_every_prompt_and_system_once_and_the_recording():
    """Prompts x systems x voices per prompt, plus one human candidate each."""
    table = wanted(prompts(20), [candidate(), candidate("two", each=2)], human=True, audio=AUDIO, seed=1)
    assert table.num_rows == 20 * (1 + 2 + 1)
    assert len(ids(table)) == table.num_rows
    assert {voice for voice in table["voice"].to_pylist() if voice} == {"a", "b", "c"}
    human = table.filter(pa.compute.equal(table["system"], "human"))
    assert human["voice"].null_count == human["seed"].null_count == 20


def test_growth_moves_nothing():
    """More prompts, more systems, another order of voices: what was wanted is still wanted, under the same ids and seeds."""
    before = wanted(prompts(5), [candidate()], human=True, audio=AUDIO, seed=1)
    after = wanted(prompts(9), [candidate("two"), candidate(voices=("c", "b", "a"))], human=True, audio=AUDIO, seed=1)
    seeds = dict(zip(after["row_id"].to_pylist(), after["seed"].to_pylist(), strict=True))
    assert {row["row_id"]: row["seed"] for row in before.to_pylist()}.items() <= seeds.items()


def test_what_changes_a_clip_changes_its_id():
    """Engine parameters, audio format and seed are part of a sample's identity."""
    base = {"human": False, "audio": AUDIO, "seed": 1}
    tables = [
        wanted(prompts(3), [candidate()], **base),
        wanted(prompts(3), [candidate(params={"speed": 2})], **base),
        wanted(prompts(3), [candidate()], **base | {"audio": {"sample_rate_hz": 24000}}),
        wanted(prompts(3), [candidate()], **base | {"seed": 2}),
    ]
    for number, one in enumerate(tables):
        for other in tables[number + 1 :]:
            assert not ids(one) & ids(other)


def test_ids_are_those_of_earlier_versions():
    """A sample of a prompt's own text keeps the id that it always had, so that nothing is rendered again."""
    table = wanted(prompts(1), [candidate()], human=False, audio=AUDIO, seed=1)
    (row,) = table.to_pylist()
    assert row["row_id"] == row_id("sample", "p0", "one", "espeak", {}, row["voice"], 1, AUDIO)
    assert (row["text"], row["spoken_text"]) == ("text 0", None)


NEGATIVE = {"negative_text": {"p0": "  Something\nelse. ", "p1": "No."}, "clean_text": {"p2": "Never mind."}}


def test_a_system_may_speak_what_was_written():
    """The written text replaces the prompt's; the recording and the other systems say what they said before."""
    systems = [candidate(), candidate("wrong", speaks="negative_text")]
    before = wanted(prompts(3), systems[:1], human=True, audio=AUDIO, seed=1)
    table = wanted(prompts(3), systems, human=True, audio=AUDIO, seed=1, written=NEGATIVE)
    wrong = {row["subject_id"]: row for row in table.to_pylist() if row["system"] == "wrong"}
    assert {prompt: (row["text"], row["spoken_text"]) for prompt, row in wrong.items()} == {
        "p0": ("Something else.", "Something else."), "p1": ("No.", "No."), "p2": (None, None),
    }  # fmt: skip
    assert {row["group_id"] for row in wrong.values()} == {"g0", "g1", "g2"}
    others = table.filter(pa.compute.not_equal(table["system"], "wrong"))
    assert others.equals(before)
    assert others["spoken_text"].null_count == others.num_rows


def test_another_written_text_is_another_sample():
    """The id follows the written text, and that of one prompt does not touch another's; white space does not count."""
    systems = [candidate("wrong", speaks="negative_text")]

    def of_prompts(**texts):
        table = wanted(prompts(2), systems, human=False, audio=AUDIO, seed=1, written={"negative_text": texts})
        return dict(zip(table["subject_id"].to_pylist(), table["row_id"].to_pylist(), strict=True))

    first, second, third = of_prompts(p0="No.", p1="No."), of_prompts(p0="Yes.", p1="No."), of_prompts(p0=" No. ", p1="No.")
    assert first["p0"] != second["p0"]
    assert first["p1"] == second["p1"]
    assert first == third
    spoken_as_target = wanted(prompts(2), [candidate("wrong")], human=False, audio=AUDIO, seed=1)
    assert not set(first.values()) & ids(spoken_as_target)


def test_code_switched_prompts_are_asked_for_as_such():
    """An engine is told the language of the target text, whatever it is; whether it speaks it is the engine's to say."""
    table = prompts(1).set_column(PROMPTS.get_field_index("language"), PROMPTS.field("language"), pa.array(["mixed"]))
    assert wanted(table, [candidate()], human=False, audio=AUDIO, seed=1)["language"].to_pylist() == ["mixed"]
