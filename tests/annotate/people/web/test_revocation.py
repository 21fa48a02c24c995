"""Links and sessions that end at once, of listeners and of those who run the test."""

import json

import pytest
from itsdangerous import URLSafeTimedSerializer
from starlette.testclient import TestClient

from annotate.people.store.annotators import ADMIN
from annotate.people.store.vote_store import Store
from tests.annotate.listeners import as_of_before
from tests.annotate.people.web.sites import SECRET, Listener, Opened
from tests.annotate.people.web.test_admin import Admin

PATHS = ("/next", "/upcoming")


def test_a_revoked_link_and_its_sessions_end_at_once_and_the_answers_stay(opened: Opened, ann: Listener):
    """Another process revokes; the next request of every kind is refused, and nobody else is touched."""
    link, assignment = opened.link(ann.annotator_id), ann.item()
    bob = Listener(opened, opened.invite("Bob")).prepare()
    ann.hear(assignment)
    assert ann.vote(assignment, value="A").status_code == 200
    upcoming = ann.item()
    with Store(opened.store._commits.where, opened.store.settings) as another:
        another.revoke(ann.annotator_id)
    assert [ann.client.get(path).status_code for path in (*PATHS, f"/audio/{upcoming}/0")] == [401] * 3
    assert ann.play(upcoming, "0", "started").status_code == 401
    assert ann.vote(upcoming, value="A").status_code == 401
    fresh = TestClient(opened.app, base_url=opened.site.base_url, follow_redirects=False)
    assert fresh.get(link).status_code == 403
    assert bob.client.get("/next").status_code == 200
    assert opened.store.votes().num_rows == 1
    assert ann.client.get(opened.link(ann.annotator_id)).status_code == 200  # a new link lets in again
    assert ann.item() == upcoming


def test_revoking_again_ends_the_new_link_too(opened: Opened):
    who = opened.invite()
    links = []
    for _ in range(3):
        links.append(opened.link(who))
        opened.store.revoke(who)
    client = TestClient(opened.app, base_url=opened.site.base_url, follow_redirects=False)
    assert [client.get(link).status_code for link in links] == [403] * 3
    assert client.get(opened.link(who)).status_code == 303


def test_the_admin_page_revokes_a_listener(opened: Opened, ann: Listener):
    admin = Admin(opened)
    assert 'data-post="/admin/revoke"' in admin.page()
    assert admin.post("/admin/revoke", {"annotator_id": ann.annotator_id}).status_code == 200
    assert ann.client.get("/next").status_code == 401
    assert admin.post("/admin/revoke", {"annotator_id": "nobody"}).status_code == 404
    link = admin.post("/admin/link", {"annotator_id": ann.annotator_id}).json()["link"]
    assert ann.client.get(link).status_code == 200
    assert ann.client.get("/next").status_code == 200


def test_a_new_admin_link_ends_the_old_ones_and_all_their_sessions(opened: Opened):
    old, admin, other = opened.admin_link(), Admin(opened), Admin(opened)
    link = admin.post("/admin/renew", {}).json()["link"]
    assert [one.client.get("/admin").status_code for one in (admin, other)] == [404, 404]
    client = TestClient(opened.app, base_url=opened.site.base_url)
    assert client.get(old).status_code == 403
    assert client.get(link).status_code == 200
    assert opened.store.revocation_count(ADMIN) == 1


@pytest.mark.parametrize(
    ("purpose", "said", "cookie", "path"),
    [
        ("invitation", lambda who: who, None, "/i/{}"),
        ("admin-link", lambda who: "admin", None, "/admin/i/{}"),
        ("session", lambda who: [who, "nonce"], "listener", "/next"),
        ("admin-session", lambda who: "nonce", "admin", "/admin"),
    ],
)
def test_links_and_sessions_of_before_there_were_revocations_hold_until_one(opened, ann, *, purpose, said, cookie, path):
    """Tokens as the versions before signed them."""
    import hashlib

    signer = URLSafeTimedSerializer(SECRET, salt=f"unisrm-data {purpose}", signer_kwargs={"digest_method": hashlib.sha256})
    token = signer.dumps(said(ann.annotator_id))

    def status() -> int:
        client = TestClient(opened.app, base_url=opened.site.base_url, cookies={cookie: token} if cookie else {})
        return client.get(path.format(token)).status_code

    assert status() == 200
    opened.store.revoke(ADMIN if "admin" in purpose else ann.annotator_id)
    assert status() in (401, 403, 404)


def test_a_test_of_before_there_were_revocations_opens(opened: Opened, ann: Listener):
    """Its table is made; who was invited stays."""
    where, settings = opened.store._commits.where, opened.store.settings
    as_of_before(opened.store, "DROP TABLE listening_revocations")
    with Store(where, settings) as store:
        assert store.annotator(ann.annotator_id).revocation_count == 0
        assert store.revoke(ann.annotator_id) == 1
        assert store.annotators()[0].revocation_count == 1


@pytest.mark.parametrize(
    "spelling", ["ada l\u00f3pez", "Ada Lo\u0301pez ", "\uff21da\u3000L\u00f3pez", "ADA L\u00d3PEZ", "A\u200bda L\u00f3pez"]
)
def test_one_person_under_any_spelling_is_one(opened: Opened, spelling: str):
    admin = Admin(opened)
    who = opened.invite("Ada L\u00f3pez")
    reply = admin.post("/admin/invite", {"name": spelling, "levels": {"en": "native"}}).json()
    assert reply["known"] == "Ada L\u00f3pez"
    assert opened.app.state.tokens.read_invitation(reply["link"].rpartition("/")[2]).annotator_id == who
    assert len(opened.store.annotators()) == 1
    assert admin.post("/admin/invite", {"name": "Ada Lopes", "levels": {}}).json()["known"] is None


def test_two_who_were_invited_under_one_name_before_stay_two(opened: Opened):
    """Nobody can tell which of them another spelling means."""
    from sqlalchemy import text

    ada, other = opened.invite("Ada"), opened.invite("Bob")
    opened.store._commits.write(
        lambda connection: connection.execute(
            text("UPDATE listening_annotators SET name = 'ada' WHERE annotator_id = :key"), {"key": other}
        )
    )
    assert (opened.invite("Ada"), opened.invite("ada")) == (ada, other)
    reply = Admin(opened).post("/admin/invite", {"name": "ADA", "levels": {}})
    assert reply.status_code == 422
    assert "'Ada', 'ada'" in json.loads(reply.text)["message"]
