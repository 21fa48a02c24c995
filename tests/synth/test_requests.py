"""Which samples are wanted: stable ids, voices by hash."""

import pyarrow as pa

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


def candidate(name="one", voices=("a", "b", "c"), each=1, params=None):
    return Candidate(system=name, engine="espeak", params=params or {}, voices=voices, voices_per_prompt=each)


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
