"""Who gets in, what is refused, and that nothing of a test gets out or is run in a browser."""

import json
import logging
import re

import pytest
from starlette.testclient import TestClient

from annotate.people.store.item import ItemClip
from annotate.people.web.access import HEADERS, MAX_BODY_BYTES
from annotate.people.web.buckets import Allowance
from annotate.people.web.site import ListeningSite
from contracts.errors import RecipeError, SetupError, StorageError
from tests.annotate.people.web import sites
from tests.annotate.people.web.sites import NASTY, Listener, Opened

CLOSED = ("/next", "/upcoming", "/audio/x/0", "/check/x/0")
POSTS = ("/consent", "/check", "/played", "/vote")
ADMIN = ("/admin", "/admin/export/votes.csv", "/admin/export/items.jsonl")
ADMIN_POSTS = (
    "/admin/invite",
    "/admin/link",
    "/admin/revoke",
    "/admin/renew",
    "/admin/exclude",
    "/admin/pardon",
    "/admin/gold",
    "/admin/ungold",
)


def stranger(opened: Opened) -> TestClient:
    return TestClient(opened.app, base_url=opened.site.base_url)


@pytest.mark.parametrize("path", CLOSED)
def test_nothing_is_shown_or_played_without_a_session(opened: Opened, path: str):
    assert stranger(opened).get(path).status_code == 401


@pytest.mark.parametrize("path", POSTS)
def test_nothing_is_taken_without_a_session(opened: Opened, path: str):
    reply = stranger(opened).post(path, json={}, headers={"origin": opened.site.origin})
    assert (reply.status_code, reply.json()["reason"]) == (401, "session")


@pytest.mark.parametrize("cookie", ["", "x", "a.b.c", "é", "A" * 5000])
def test_a_forged_session_is_none(opened: Opened, cookie: str):
    reply = stranger(opened).get("/next", headers={"cookie": f"listener={cookie}".encode("latin-1")})
    assert reply.status_code == 401


def test_an_invitation_is_no_session_and_a_session_no_admins(opened: Opened):
    tokens, annotator = opened.app.state.tokens, opened.invite()
    client = stranger(opened)
    for name, value, path in (
        ("listener", tokens.invitation(annotator), "/next"),
        ("admin", tokens.session(annotator), "/admin"),
        ("listener", tokens.session(None), "/next"),
        ("admin", tokens.admin_invitation(), "/admin"),
    ):
        reply = client.get(path, headers={"cookie": f"{name}={value}"})
        assert reply.status_code == (401 if path == "/next" else 404)


def test_without_a_session_the_first_page_says_only_how_to_get_in(opened: Opened):
    reply = stranger(opened).get("/")
    assert reply.status_code == 401
    assert "invitation link" in reply.text
    assert "Sentence" not in reply.text


@pytest.mark.parametrize("path", ADMIN)
def test_the_admin_page_is_not_there_for_strangers_and_listeners(opened: Opened, ann: Listener, path: str):
    assert stranger(opened).get(path).status_code == 404
    assert ann.client.get(path).status_code == 404


@pytest.mark.parametrize("path", ADMIN_POSTS)
def test_admin_posts_are_not_there_for_listeners(opened: Opened, ann: Listener, path: str):
    assert ann.post(path, {"annotator_id": ann.annotator_id}).status_code == 404
    assert opened.store.annotator(ann.annotator_id).state != "excluded"


def test_a_link_signs_in_and_leaves_the_address(opened: Opened):
    client = stranger(opened)
    reply = client.get(opened.link(opened.invite()), follow_redirects=False)
    assert (reply.status_code, reply.headers["location"]) == (303, "/")
    cookie = reply.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "secure" not in cookie  # this site is not encrypted


def test_the_link_opened_again_leaves_what_other_tabs_post_alone(opened: Opened, ann: Listener):
    """The same listener goes on in the same session; another one on the same machine gets one of their own."""
    assignment, csrf = ann.item(), ann.csrf
    ann.client.get(opened.link(ann.annotator_id))
    assert sites.csrf_of(ann.client.get("/").text) == csrf
    assert ann.play(assignment, "0", "started").status_code == 200
    ann.client.get(opened.link(opened.invite("Bob")))
    assert sites.csrf_of(ann.client.get("/").text) != csrf
    assert ann.play(assignment, "0", "started").status_code == 403


def test_over_https_the_cookie_is_bound_to_the_host(tmp_path):
    opened = sites.open_site(tmp_path, clock=sites.Clock(), site=ListeningSite(base_url="https://listen.example.org"))
    reply = stranger(opened).get(opened.link(opened.invite()), follow_redirects=False)
    assert reply.headers["set-cookie"].startswith("__Host-listener=")
    assert "; Secure" in reply.headers["set-cookie"]
    assert "max-age" in reply.headers["strict-transport-security"]
    opened.store.close()


@pytest.mark.parametrize(
    "change", [lambda token: token[:-1], lambda token: "x" + token, lambda token: "é", lambda token: "x" * 3000]
)
def test_a_changed_link_does_not_sign_in(opened: Opened, change):
    token = opened.app.state.tokens.invitation(opened.invite())
    reply = stranger(opened).get(f"/i/{change(token)}", follow_redirects=False)
    assert reply.status_code == 403
    assert "set-cookie" not in reply.headers


def test_a_link_for_nobody_does_not_sign_in(opened: Opened):
    reply = stranger(opened).get(opened.link("nobody"), follow_redirects=False)
    assert reply.status_code == 403


def test_failed_sign_ins_are_limited_per_address_and_those_that_work_are_not(tmp_path):
    """Whoever guesses is slowed down, and shuts nobody out: neither others, nor one behind the same address who has a link."""
    opened = sites.open_site(tmp_path, clock=sites.Clock(), per_client=Allowance(burst=3, per_s=0.001))
    link = opened.link(opened.invite())

    def tries(address: str, count: int, path: str = "/i/guess") -> list[int]:
        client = TestClient(opened.app, base_url=opened.site.base_url, client=(address, 1), follow_redirects=False)
        return [client.get(path).status_code for _ in range(count)]

    assert tries("10.0.0.1", 5) == [403, 403, 403, 429, 429]
    assert tries("10.0.0.1", 300, link) == [303] * 300
    assert tries("10.0.0.1", 1, opened.admin_link()) == [303]
    assert tries("10.0.0.2", 4) == [403, 403, 403, 429]
    assert tries("2001:db8::1", 3) + tries("2001:db8::2", 1) == [403, 403, 403, 429]  # one client holds a /64
    admin = TestClient(opened.app, base_url=opened.site.base_url, client=("10.0.0.1", 1)).get("/admin/i/guess")
    assert admin.status_code == 429
    assert int(admin.headers["retry-after"]) > 0
    opened.store.close()


def test_posts_of_other_sites_are_refused(ann: Listener):
    assignment = ann.item()
    said = {"assignment": assignment, "slot": "0", "what": "started"}
    for origin in ("https://evil.example", "null", "", "http://testserver.evil.example", "https://testserver"):
        reply = ann.post("/played", said, origin=origin)
        assert (reply.status_code, reply.json()["reason"]) == (403, "origin")


def test_posts_without_the_sessions_own_word_are_refused(opened: Opened, ann: Listener):
    bob = Listener(opened, opened.invite("Bob"))
    said = {"assignment": ann.item(), "slot": "0", "what": "started"}
    for token in ("", "x", bob.csrf, ann.csrf[:-1]):
        assert ann.post("/played", said, x_csrf_token=token).status_code == 403


def test_forms_of_plain_html_are_refused(ann: Listener):
    headers = {"origin": ann.opened.site.origin, "x-csrf-token": ann.csrf}
    assert ann.client.post("/consent", data={"agree": "yes"}, headers=headers).status_code == 415
    assert (
        ann.client.post("/consent", content=b'{"agree":"yes"}', headers={**headers, "content-type": "text/plain"}).status_code
        == 415
    )


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"\xff", b'{"agree":"no"}', b'{"agree":"yes","more":1}', b"[" * 9000],
)
def test_what_is_no_such_form_is_refused(ann: Listener, body: bytes):
    headers = {"origin": ann.opened.site.origin, "x-csrf-token": ann.csrf, "content-type": "application/json"}
    assert ann.client.post("/consent", content=body, headers=headers).status_code == 422


@pytest.mark.parametrize("word", [r"\u0000", r"a\u0000b", r"\ud800"])
def test_a_word_that_no_database_can_hold_is_refused(opened: Opened, ann: Listener, word: str):
    """In PostgreSQL a NUL would undo the votes of all who write at the same moment; half a surrogate cannot even be sent back."""
    headers = {"origin": ann.opened.site.origin, "x-csrf-token": ann.csrf, "content-type": "application/json"}
    played = f'{{"assignment": "{word}", "slot": "0", "what": "started"}}'
    assert ann.client.post("/played", content=played, headers=headers).status_code == 422
    form = f'{{"assignment": "x", "form": {{"{word}": ["A"]}}}}'
    assert ann.client.post("/vote", content=form, headers=headers).status_code == 422
    client = TestClient(opened.app, base_url=opened.site.base_url)
    client.get(opened.admin_link())
    headers["x-csrf-token"] = sites.csrf_of(client.get("/admin").text)
    for name, language in ((word, "en"), ("Bo", word)):
        invite = f'{{"name": "{name}", "levels": {{"{language}": "native{word}"}}}}'
        assert client.post("/admin/invite", content=invite, headers=headers).status_code == 422


def test_a_long_post_is_refused_whether_or_not_it_says_its_length(ann: Listener):
    headers = {"origin": ann.opened.site.origin, "x-csrf-token": ann.csrf, "content-type": "application/json"}
    body = json.dumps({"agree": "yes" * MAX_BODY_BYTES}).encode()
    assert ann.client.post("/consent", content=body, headers=headers).status_code == 413
    assert ann.client.post("/consent", content=iter([body[:100], body[100:]]), headers=headers).status_code == 413


def test_anothers_assignment_and_audio_are_not_there(opened: Opened, ann: Listener):
    bob = Listener(opened, opened.invite("Bob")).prepare()
    assignment = ann.item()
    assert ann.client.get(f"/audio/{assignment}/0").status_code == 200
    assert bob.client.get(f"/audio/{assignment}/0").status_code == 404
    assert bob.play(assignment, "0", "started").status_code == 404
    assert bob.vote(assignment, value="A").status_code == 404
    assert (
        bob.client.get("/audio/nothing/0").content == bob.client.get(f"/audio/{assignment}/0").content
    )  # nor whether there is one


@pytest.mark.parametrize(
    "path",
    [
        "../../votes.sqlite",
        "..%2f..%2fvotes.sqlite",
        "%2e%2e/%2e%2e/votes.sqlite",
        "0/../../../x",
        "reference0",
        "2",
        "-1",
        "0%00",
    ],
)
def test_audio_is_found_by_slot_only(ann: Listener, path: str):
    assert ann.client.get(f"/audio/{ann.item()}/{path}").status_code == 404


@pytest.mark.parametrize(
    "path", ["../app.py", "..%2fapp.py", "%2e%2e%2fapp.py", "....//app.py", "/etc/passwd", "%2fetc%2fpasswd"]
)
def test_static_files_are_those_of_their_folder(opened: Opened, path: str):
    assert stranger(opened).get(f"/static/{path}").status_code in (404, 405)


def test_exports_are_those_of_a_list(opened: Opened):
    client = stranger(opened)
    client.get(opened.admin_link())
    for name in ("close.csv", "__init__.csv", "votes.sqlite", "..%2fvotes.sqlite", "terms.jsonl"):
        assert client.get(f"/admin/export/{name}").status_code == 404


def test_every_answer_carries_the_headers_and_is_not_kept(opened: Opened, ann: Listener):
    assignment = ann.item()
    for path in ("/", "/next", "/upcoming", f"/audio/{assignment}/0", "/nowhere", "/admin", "/i/x"):
        reply = ann.client.get(path)
        assert {name: reply.headers[name] for name in HEADERS} == dict(HEADERS)
        assert "no-store" in reply.headers["cache-control"]
    policy = HEADERS["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy


def test_pages_have_no_inline_script_style_or_outside_address(opened: Opened, ann: Listener):
    admin = stranger(opened)
    admin.get(opened.admin_link())
    fresh = Listener(opened, opened.invite("New"))
    pages = [ann.client.get("/").text, fresh.client.get("/").text, admin.get("/admin").text, stranger(opened).get("/").text]
    fresh.post("/consent", {"agree": "yes"})
    for page in [*pages, fresh.client.get("/").text]:
        assert not re.findall(r"<script(?![^>]*\bsrc=\"/static/)", page)
        assert not re.findall(r"<style|\sstyle=|\son\w+=|javascript:", page)
        assert not re.findall(r"(?:src|href|action)=\"(?:https?:)?//", page)


def test_texts_notes_and_names_are_shown_and_never_run(tmp_path):
    site = ListeningSite(
        base_url="http://testserver", title=NASTY, contact=NASTY, pay=NASTY, instructions={"en": NASTY}, consent={"en": NASTY}
    )
    opened = sites.open_site(tmp_path, clock=sites.Clock(), site=site)
    opened.store.add_items(sites.items(opened.blobs, 1, text=NASTY, note=NASTY, stratum=NASTY))
    opened.store.add_items(sites.items(opened.blobs, 0))
    ann = Listener(opened, opened.invite(NASTY))
    admin = stranger(opened)
    admin.get(opened.admin_link())
    opened.store.invite(NASTY, {"en": "native"})
    pages = [ann.client.get("/").text]
    ann.post("/consent", {"agree": "yes"})
    pages.append(ann.client.get("/").text)
    opened.store.confirm_equipment(ann.annotator_id)
    pages += [ann.client.get("/").text, ann.client.get("/next").text]
    opened.store.exclude(ann.annotator_id, NASTY, {NASTY: NASTY})
    pages += [ann.client.get("/").text, admin.get("/admin").text]
    for page in pages:
        assert "<script>alert" not in page
        assert "<img" not in page
        assert "{{ 49 }}" not in page
        assert "{{ 7*7 }}" in page or "7*7" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in pages[2]
    assert pages[-1].count("&lt;script&gt;") >= 4  # title, name, stratum, reason
    opened.store.close()


@pytest.mark.parametrize("query", ["?lang=<script>alert(1)</script>", "?x=<script>alert(1)</script>", "?lang=../../etc"])
def test_what_is_asked_for_is_not_shown_back(opened: Opened, ann: Listener, query: str):
    for client, path in (
        (ann.client, "/"),
        (ann.client, "/<script>alert(1)</script>"),
        (stranger(opened), "/i/<script>alert(1)</script>"),
    ):
        reply = client.get(path + query, headers={"accept": "text/html"})
        assert "<script>alert" not in reply.text


def test_a_page_says_nothing_of_blobs_systems_gold_or_order(opened: Opened, tmp_path):
    settings = {"qualification": 2, "gold_every": 2}
    with_gold = sites.open_site(tmp_path / "gold", clock=sites.Clock(), settings=settings)
    made = sites.items(with_gold.blobs, 6, gold=3)
    with_gold.store.add_items(made)
    ann = Listener(with_gold, with_gold.invite()).prepare()
    page = ann.client.get("/").text
    for item in made:
        assert item.item_id not in page
        assert item.subject_id not in page
        assert all(clip.audio_id not in page for clip in item.clips)
    assert "gold" not in page.lower()
    with_gold.store.close()


def test_tokens_stay_out_of_logs_and_pages(opened: Opened, caplog):
    caplog.set_level(logging.DEBUG)
    link = opened.link(opened.invite())
    client = stranger(opened)
    page = client.get(link).text
    assert link.removeprefix("/i/") not in page
    logged = [record for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]  # the tests' own client
    assert link.removeprefix("/i/") not in "\n".join(record.getMessage() for record in logged)


def test_a_broken_store_is_told_as_such_and_can_be_asked_again(opened: Opened, ann: Listener, monkeypatch):
    def fail(*_: object) -> None:
        raise StorageError("listening test /secret/place: disk full")

    assignment = ann.item()
    ann.hear(assignment)
    monkeypatch.setattr(opened.store, "answer", fail)
    reply = ann.vote(assignment, value="A")
    assert reply.status_code == 503
    assert "secret" not in reply.text
    monkeypatch.undo()
    assert ann.vote(assignment, value="A").status_code == 200


def test_a_missing_recording_is_not_asked_for_again_and_again(tmp_path):
    opened = sites.open_site(tmp_path, clock=sites.Clock())
    gone = ItemClip(audio_id="f" * 64, duration_s=0.3)
    made = sites.items(opened.blobs, 1)[0]
    opened.store.add_items([type(made)(item_id="x", subject_id="x", language="en", text="t", clips=(gone, gone))])
    ann = Listener(opened, opened.invite()).prepare()
    assert ann.client.get(f"/audio/{ann.item()}/0").status_code == 500
    opened.store.close()


@pytest.mark.parametrize("url", ["", "listen.example.org", "ftp://x", "https://x/path", "https://", "https://x?y"])
def test_a_base_url_that_is_no_origin_is_refused(url: str):
    with pytest.raises(RecipeError):
        ListeningSite(base_url=url)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Listen.Example.org/", "https://listen.example.org"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("https://x:443", "https://x"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_origins_are_written_as_browsers_do(url: str, origin: str):
    assert ListeningSite(base_url=url).origin == origin


def test_a_short_secret_is_refused(opened: Opened):
    from annotate.people.web.app import make_app

    with pytest.raises(SetupError, match="secret"):
        make_app(opened.store, secret="short", audio=bytes, site=opened.site)


@pytest.mark.parametrize(
    "path",
    [
        "/static/../access.py",
        "/static/..%2faccess.py",
        "/static/%2e%2e/access.py",
        "/static/%2e%2e%2f%2e%2e%2faccess.py",
        "/static/....//access.py",
        "/static//etc/passwd",
        "/static/..%5caccess.py",
        "/static/%00",
        "/audio/..%2f..%2fvotes.sqlite/0",
        "/admin/export/..%2fvotes.sqlite",
    ],
)
def test_no_path_leads_out_of_the_static_files(opened: Opened, ann: Listener, path: str):
    reply = ann.client.get(path)
    assert reply.status_code == 404
    assert "Denied" not in reply.text
    assert "root:" not in reply.text


def test_a_body_that_says_it_is_long_is_refused_before_it_comes(ann: Listener):
    headers = {
        "origin": ann.opened.site.origin,
        "x-csrf-token": ann.csrf,
        "content-type": "application/json",
        "content-length": str(10**9),
    }
    assert ann.client.post("/consent", content=b"{}", headers=headers).status_code == 413


def test_a_defect_is_answered_with_the_headers_of_all_answers(opened: Opened, ann: Listener, monkeypatch):
    def fail(*_: object) -> None:
        raise ZeroDivisionError("a secret of the inside")

    monkeypatch.setattr(opened.store, "annotator", fail)
    client = TestClient(opened.app, base_url=opened.site.base_url, raise_server_exceptions=False, cookies=ann.client.cookies)
    reply = client.get("/next")
    assert reply.status_code == 500
    assert "secret" not in reply.text
    assert all(reply.headers[name] == value for name, value in HEADERS.items())
