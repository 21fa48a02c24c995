"""The listening-test app: routes and error responses."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from annotate.people.store.item import ItemClip
from annotate.people.store.rule import ListenerRule
from annotate.people.store.store_records import Refused
from annotate.people.store.vote_store import Store
from annotate.people.web.access import HEADERS, Access, Denied, SecurityHeaders
from annotate.people.web.admin_pages import AdminPages
from annotate.people.web.buckets import Allowance, Buckets
from annotate.people.web.headphones import TRIES, Challenges
from annotate.people.web.listener_pages import ListenerPages
from annotate.people.web.rendering import Pages, language_of
from annotate.people.web.site import ListeningSite
from annotate.people.web.tokens import Tokens
from annotate.people.web.words import words
from contracts.errors import DamagedPart, DataError, StorageError

STATIC: Final = Path(__file__).parent / "static"
PER_CLIENT: Final = Allowance(burst=20, per_s=0.5)
"""Failed sign-ins of one network. Valid links are not counted, so a class behind one address can sign in at once."""

_LOG: Final = logging.getLogger(__name__)
_NOT_FOUND: Final = ("unknown_assignment", "unknown_slot")
_OUT_OF_TURN: Final = ("unknown_annotator", "elsewhere", "not_consented", "not_equipped", "failed", "excluded")


def make_app(
    store: Store,
    *,
    secret: str,
    audio: Callable[[ItemClip], bytes],
    site: ListeningSite,
    per_client: Allowance = PER_CLIENT,
    check_tries: Allowance = TRIES,
    rules: Mapping[str, ListenerRule] | None = None,
) -> Starlette:
    """Return the app of one listening test.

    Args:
        store: the test; the app does not close it.
        secret: key of all tokens; another key makes all invitations void.
        audio: clip -> WAV or FLAC file at the clip's gain.
        site: address and texts of the test.
        per_client: limit of failed sign-ins per network.
        check_tries: limit of tries of the headphone check per listener.
        rules: name -> rule whose findings the admin page shows; the app excludes no annotator by itself.

    Raises:
        SetupError: the secret is too short.
    """
    tokens = Tokens(secret)
    access = Access(store, tokens, site, Buckets(per_client))
    pages = Pages(site, store.settings)
    challenges = Challenges(tries=check_tries)
    listener = ListenerPages(access, pages, challenges, audio)
    admin = AdminPages(access, pages, rules or {})

    async def refuse(request: Request, error: Exception) -> Response:
        return _refusal(pages, request, error)

    app = Starlette(
        routes=[
            Route("/health", _health),
            Mount("/static", StaticFiles(directory=STATIC)),
            *listener.routes,
            *admin.routes,
        ],
        middleware=[Middleware(SecurityHeaders, https=site.https)],
        exception_handlers={HTTPException: refuse, Refused: refuse, DataError: refuse, StorageError: refuse, Exception: _crash},
    )
    app.state.tokens = tokens
    app.state.challenges = challenges
    return app


async def _health(request: Request) -> Response:
    del request
    return PlainTextResponse("ok")


async def _crash(request: Request, error: Exception) -> Response:
    """Return the response to an unexpected error, which the server logs. It bypasses the middleware, so it adds the headers."""
    del request, error
    return PlainTextResponse("error", status_code=500, headers={**HEADERS, "cache-control": "no-store"})


def _refusal(pages: Pages, request: Request, error: Exception) -> Response:
    """Return an error response: JSON for the page's script, a page for a browser."""
    status, reason, wait_s = _status_of(error)
    texts = words(language_of(request))
    text = texts.get(f"refused_{reason}", texts["refused_other"])
    if request.url.path.startswith("/admin") and isinstance(error, DataError):
        text = str(error)  # admins see the store's own message
    headers = {"retry-after": str(int(wait_s) + 1)} if status in (429, 503) else {}
    if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
        page = pages.message(request, "missing", status=status, text=texts["missing_text"] if status == 404 else text)
        page.headers.update(headers)
        return page
    return JSONResponse({"reason": reason, "message": text, "wait_s": wait_s}, status_code=status, headers=headers)


def _status_of(error: Exception) -> tuple[int, str, float]:
    if isinstance(error, Denied):
        return error.status_code, error.detail, error.wait_s
    if isinstance(error, HTTPException):
        return error.status_code, "missing" if error.status_code == 404 else "other", 0.0
    if isinstance(error, Refused):
        if error.reason in _NOT_FOUND:
            return 404, "missing", 0.0
        return 409, "state" if error.reason in _OUT_OF_TURN else error.reason, error.wait_s
    if isinstance(error, StorageError):
        _LOG.error("%s", error)
    if isinstance(error, DamagedPart):
        return 500, "other", 0.0  # a retry would not help
    if isinstance(error, StorageError):
        return 503, "busy", 1.0
    return 422, "form", 0.0
