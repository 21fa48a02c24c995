"""Who may do what: sessions, posts that are meant, limits, and how a refusal is said."""

import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from anyio import CapacityLimiter, to_thread
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from annotate.listening.store import Annotator, Store
from annotate.web.buckets import Doors
from annotate.web.site import Site
from annotate.web.tokens import ADMIN_SESSION_S, SESSION_S, Session, Tokens

MOST_BYTES: Final = 16 * 1024
THREADS: Final = 6
HEADERS: Final[Mapping[str, str]] = {
    "content-security-policy": (
        "default-src 'self'; media-src 'self' blob:; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)


class Posted(BaseModel):
    """A post: nothing beyond what is asked for, and no type guessed."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Denied(HTTPException):
    """A request that is refused, with a reason in one word that the pages have words for."""

    def __init__(self, status: int, reason: str, *, wait_s: float = 0.0) -> None:
        super().__init__(status, reason)
        self.wait_s = wait_s


class Shield:
    """ASGI middleware: headers that every answer carries, and a limit to what is read."""

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        self._app = app
        self._headers = {**HEADERS, **({"strict-transport-security": "max-age=31536000"} if https else {})}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(self._headers)
                headers.setdefault("cache-control", "no-cache" if scope["path"].startswith("/static/") else "no-store")
            await send(message)

        await self._app(scope, receive, dressed)


class Access:
    """Decides on requests to one test."""

    def __init__(self, store: Store, tokens: Tokens, site: Site, doors: Doors) -> None:
        self.store = store
        self.tokens = tokens
        self.site = site
        self._doors = doors
        # Few threads: more of them fight for the interpreter and make no answer come sooner.
        self._threads = CapacityLimiter(THREADS)
        self._votes = CapacityLimiter(THREADS)
        # With this prefix a browser takes the cookie from this very host only, and only over https.
        prefix = "__Host-" if site.https else ""
        self.listener_cookie = f"{prefix}listener"
        self.admin_cookie = f"{prefix}admin"

    def knock(self, request: Request) -> None:
        """Count a try to sign in.

        Raises:
            Denied: 429, too many of them.
        """
        if wait_s := self._doors.knock(request.client.host if request.client else ""):
            raise Denied(429, "slow", wait_s=wait_s)

    def let_in(self, address: str, annotator_id: str | None) -> RedirectResponse:
        """Begin a session, and go on under an address without the invitation; None = of someone who runs the test."""
        listens = annotator_id is not None
        response = RedirectResponse(address, status_code=303)
        response.set_cookie(
            self.listener_cookie if listens else self.admin_cookie,
            self.tokens.session(annotator_id),
            max_age=SESSION_S if listens else ADMIN_SESSION_S,
            httponly=True,
            samesite="lax",
            secure=self.site.https,
        )
        return response

    def session(self, request: Request) -> Session:
        """Return the session of a listener.

        Raises:
            Denied: 401, there is none.
        """
        session = self.tokens.listener(request.cookies.get(self.listener_cookie))
        if session is None:
            raise Denied(401, "session")
        return session

    async def listener(self, request: Request) -> tuple[Session, Annotator]:
        """Return the session and the annotator whose it is.

        Raises:
            Denied: 401, there is no such session or annotator.
        """
        session = self.session(request)
        annotator = await self.stored(self.store.annotator, str(session.annotator_id))
        if annotator is None:
            raise Denied(401, "session")
        return session, annotator

    def admin(self, request: Request) -> Session:
        """Return the session of someone who runs the test.

        Raises:
            Denied: 404, there is none; strangers need not learn that there is such a page.
        """
        session = self.tokens.admin(request.cookies.get(self.admin_cookie))
        if session is None:
            raise Denied(404, "missing")
        return session

    async def posted(self, request: Request, session: Session, shape: type[M]) -> M:
        """Return what a page of this session posts.

        Raises:
            Denied: 403, another site or another session may have sent it; 413, 415, 422, it is too long or no such JSON.
        """
        if request.headers.get("origin") != self.site.origin:
            raise Denied(403, "origin")
        if not hmac.compare_digest(request.headers.get("x-csrf-token", "").encode(), session.csrf.encode()):
            raise Denied(403, "session")
        if request.headers.get("content-type", "").split(";")[0].strip() != "application/json":
            raise Denied(415, "other")
        try:
            return shape.model_validate(_storable(json.loads(await _body(request))))
        except (ValidationError, ValueError, RecursionError):
            raise Denied(422, "form") from None

    async def stored(self, ask: Callable[..., T], *said: Any) -> T:
        """Ask the store, which blocks, in a thread."""
        return await to_thread.run_sync(ask, *said, limiter=self._threads)

    async def kept(self, keep: Callable[..., T], *said: Any) -> T:
        """Have the store keep an answer, ahead of all that is only asked."""
        return await to_thread.run_sync(keep, *said, limiter=self._votes)


async def _body(request: Request) -> bytes:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BYTES:
            raise Denied(413, "other")
    return body


def _storable(said: Any) -> Any:
    """Return what was posted, if a database can hold it and an answer can repeat it.

    Raises:
        ValueError: half a surrogate pair; or a NUL, at which PostgreSQL ends the transaction of all who write with this one.
    """
    if "\\u0000" in json.dumps(said, ensure_ascii=False).encode().decode():
        raise ValueError("a NUL stands in it")
    return said
