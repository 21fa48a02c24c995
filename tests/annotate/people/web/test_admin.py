"""The admin page: what it shows, what it changes, what it gives out."""

import csv
import dataclasses
import io
import json

import pyarrow as pa
import pytest
from starlette.testclient import TestClient

from annotate.people.rules.gold_accuracy import GoldAccuracy
from contracts.schemas import VOTES
from tests.annotate.people.web import sites
from tests.annotate.people.web.sites import Listener, Opened


class Admin:
    def __init__(self, opened: Opened) -> None:
        self.opened = opened
        self.client = TestClient(opened.app, base_url=opened.site.base_url)
        self.client.get(opened.admin_link())
        self.csrf = sites.csrf_of(self.page())

    def page(self) -> str:
        reply = self.client.get("/admin")
        assert reply.status_code == 200
        return reply.text

    def post(self, path: str, said: object):
        return self.client.post(path, json=said, headers={"origin": self.opened.site.origin, "x-csrf-token": self.csrf})


@pytest.fixture
def admin(opened: Opened) -> Admin:
    return Admin(opened)


def test_an_invitation_link_lets_exactly_that_person_in(opened: Opened, admin: Admin):
    link = admin.post("/admin/invite", {"name": "Li Lei", "levels": {"en": "basic", "zh": "native"}}).json()["link"]
    assert link.startswith("http://testserver/i/")
    (annotator,) = opened.store.annotators()
    assert (annotator.name, annotator.levels["zh"]) == ("Li Lei", "native")
    client = TestClient(opened.app, base_url=opened.site.base_url)
    assert 'data-post="/consent"' in client.get(link).text
    again = admin.post("/admin/link", {"annotator_id": annotator.annotator_id}).json()["link"]
    assert opened.app.state.tokens.read_invitation(again.rpartition("/")[2]).annotator_id == annotator.annotator_id
    assert admin.post("/admin/link", {"annotator_id": "nobody"}).status_code == 404


def test_an_unknown_level_is_refused_with_the_levels(admin: Admin):
    reply = admin.post("/admin/invite", {"name": "x", "levels": {"en": "fluent"}})
    assert reply.status_code == 422
    assert "proficient" in reply.json()["message"]


def test_exclusion_discards_and_pardon_brings_back(opened: Opened, admin: Admin, ann: Listener):
    assignment = ann.item()
    ann.hear(assignment)
    ann.vote(assignment, value="A")
    assert admin.post("/admin/exclude", {"annotator_id": ann.annotator_id, "reason": "asked to leave"}).status_code == 200
    assert opened.store.votes()["discarded"].null_count == 0
    assert "asked to leave" in admin.page()
    assert admin.post("/admin/pardon", {"annotator_id": ann.annotator_id}).status_code == 200
    assert opened.store.votes()["discarded"].null_count == 1
    assert opened.store.annotator(ann.annotator_id).state == "qualified"


def test_items_become_gold_and_ordinary_again(opened: Opened, admin: Admin):
    def gold() -> dict:
        return {item.item_id: item.gold for item in opened.store.items() if item.gold}

    assert admin.post("/admin/gold", {"item_id": "item3", "values": ["B", "invalid"]}).status_code == 200
    assert gold() == {"item3": ("B", "invalid")}
    assert "item3" in admin.page()
    assert admin.post("/admin/ungold", {"item_id": "item3"}).status_code == 200
    assert gold() == {}
    refused = admin.post("/admin/gold", {"item_id": "item3", "values": ["best"]})
    assert refused.status_code == 409
    assert refused.json()["message"]


def test_progress_agreement_and_findings_are_shown(tmp_path):
    rules = {"gold_accuracy": GoldAccuracy(min_items=1)}
    opened = sites.open_site(tmp_path, clock=sites.Clock(), rules=rules)
    opened.store.add_items(sites.items(opened.blobs, 2, stratum="regular"))
    for name in ("Ann", "Bob"):
        listener = Listener(opened, opened.invite(name)).prepare()
        for _ in range(2):
            assignment = listener.item()
            listener.hear(assignment)
            tones = [len(listener.client.get(f"/audio/{assignment}/{slot}").content) for slot in ("0", "1")]
            assert all(tones)
            order = next(row for row in [opened.store.assignment(assignment, listener.annotator_id)]).order
            listener.vote(assignment, value="A" if order == "ab" else "B")
    page = Admin(opened).page()
    assert "<td>regular</td>" in page
    assert "4 / 6" in page  # two of three votes on each of two pairs
    assert "100%" in page
    assert "Ann" in page
    assert "gold_accuracy: could not be checked" in page
    opened.store.close()


def test_right_ratings_of_gold_are_shown_as_right(tmp_path):
    """Gold of scales are ranges: what lies in all of them is right on the admin's page, too."""
    made = sites.open_site(
        tmp_path, "rating", clock=sites.Clock(), protocol_options={"scales": ["noise"]}, settings={"qualification": 2}
    )
    items = sites.items(made.blobs, 3, clips=1)
    made.store.add_items([dataclasses.replace(one, gold=("noise=1..2",)) for one in items[:2]] + items[2:])
    ann = Listener(made, made.invite("Ann")).prepare()
    for _ in range(2):
        assignment = ann.item()
        ann.hear(assignment, ["0"])
        assert ann.vote(assignment, noise="2").status_code == 200
    assert '<td class="n">2 / 2</td>' in Admin(made).page()
    made.store.close()


def test_votes_are_given_out_as_csv_and_json_lines(opened: Opened, admin: Admin, ann: Listener):
    assignment = ann.item()
    ann.hear(assignment)
    ann.vote(assignment, value="invalid")
    (row,) = csv.DictReader(io.StringIO(admin.client.get("/admin/export/votes.csv").text))
    (line,) = map(json.loads, admin.client.get("/admin/export/votes.jsonl").text.splitlines())
    assert row["value"] == line["value"] == "invalid"
    assert row["annotator_id"] == line["annotator_id"] == ann.annotator_id
    assert line["plays_a"] == 1
    assert row["discarded"] == ""
    assert "Ann" not in json.dumps(line)
    assert len(admin.client.get("/admin/export/items.jsonl").text.splitlines()) == 6


def test_a_cell_of_the_export_is_never_a_formula():
    import pyarrow as pa

    from annotate.people.web.admin_pages import as_csv

    assert as_csv(pa.table({"x": ["=1+1", "@x", "A+2", None], "n": [-1, 2, 3, 4]})).decode().splitlines()[1:] == [
        "'=1+1,-1", "'@x,2", "A+2,3", ",4",
    ]  # fmt: skip


def test_admin_posts_need_origin_and_word_too(opened: Opened, admin: Admin, ann: Listener):
    said = {"annotator_id": ann.annotator_id, "reason": "x"}
    for headers in (
        {"origin": "https://evil.example", "x-csrf-token": admin.csrf},
        {"origin": opened.site.origin, "x-csrf-token": ann.csrf},
    ):
        assert admin.client.post("/admin/exclude", json=said, headers=headers).status_code == 403
    assert opened.store.annotator(ann.annotator_id).state != "excluded"


def test_who_voted_elsewhere_is_shown_without_a_link(opened: Opened, admin: Admin):
    """The table shows the pseudonym and the findings; no link is made, none made by other means opens, and both ways back work."""
    who = "v1<script>alert(1)</script>"
    rows = [
        {
            "vote_id": f"v{n}",
            "pair_id": f"pair{n}",
            "annotator_id": who,
            "protocol": "unisrm",
            "value": "A",
            "source": "import:x.csv",
        }
        for n in range(3)
    ]
    opened.store.import_votes(pa.Table.from_pylist(rows, schema=VOTES))
    ann = opened.invite("Ann")
    page = admin.page()
    assert "<script>alert" not in page
    assert "elsewhere: v1&lt;script&gt;" in page
    assert page.count('data-post="/admin/exclude"') == 2
    assert page.count('data-post="/admin/link"') == 1
    assert f'data-post="/admin/link"><input type="hidden" name="annotator_id" value="{ann}"' in page
    for state in ("elsewhere", "excluded"):
        assert opened.store.annotator(who).state == state
        assert admin.post("/admin/link", {"annotator_id": who}).status_code == 404
        stranger = TestClient(opened.app, base_url=opened.site.base_url)
        assert stranger.get(opened.link(who)).status_code == 403
        assert not stranger.cookies
        assert stranger.get("/next").status_code == 401
        assert admin.post("/admin/exclude", {"annotator_id": who, "reason": "asked to leave"}).status_code == 200
    assert set(opened.store.votes()["discarded"].to_pylist()) == {"admin"}
    assert admin.page().count('data-post="/admin/link"') == 1
    assert admin.post("/admin/pardon", {"annotator_id": who}).status_code == 200
    assert opened.store.votes()["discarded"].null_count == 3
    refused = admin.post("/admin/invite", {"name": f"elsewhere: {who}", "levels": {"en": "native"}})
    assert refused.status_code == 422
    assert "imported" in refused.json()["message"]
    lines = [json.loads(line) for line in admin.client.get("/admin/export/answers.jsonl").text.splitlines()]
    assert [(line["annotator_id"], line["time_s"]) for line in lines] == [(who, None)] * 3
