"""Imported votes in the store of the listening test: they count like its own."""

import json

import pytest

from annotate.people.exchange.import_export import export_tasks
from annotate.people.protocols.rating import Rating
from annotate.people.protocols.speechjudge import SpeechJudge
from annotate.people.protocols.unisrm import UniSRM
from annotate.people.store.listening_settings import ListeningSettings
from annotate.people.store.vote_store import Store
from tests.annotate.people.exchange.filling import annotated, audio, pair, read_votes, sample


@pytest.mark.parametrize(
    ("name", "protocol", "form", "votes"),
    [
        ("unisrm", UniSRM(), {"value": ["A"]}, 3),
        ("speechjudge", SpeechJudge(), {"value": ["A+1"], "errors_a": ["omission"]}, 2),  # a third would be surplus: two agree
        ("rating", Rating(scales=("overall",)), {"overall": ["4"]}, 3),
    ],
)
def test_a_project_taken_in_twice_counts_once(tmp_path, name, protocol, form, votes):
    items = [sample(number) if protocol.clips == 1 else pair(number) for number in range(3)]
    path = export_tasks(items, tmp_path / "out", kind="label_studio", audio=audio, seed=0, protocol=protocol)
    tasks = json.loads(path.read_text())
    path.write_text(json.dumps(annotated(tasks, {(place, user): form for place in range(3) for user in range(1, votes + 1)})))
    known = [item.subject_id for item in items]
    table = read_votes(path, protocol=protocol, protocol_name=name, known_subjects=known, seed=0)
    with Store(tmp_path / "store.sqlite", ListeningSettings(protocol=protocol, protocol_name=name)) as store:
        store.add_items(items)
        assert store.import_votes(table) == 3 * votes
        assert store.import_votes(table) == 0
        held = store.ratings() if protocol.clips == 1 else store.votes()
        key = held.column_names[0]
        assert held.sort_by(key).to_pylist() == table.sort_by(key).to_pylist()
        assert store.progress().complete == 3
