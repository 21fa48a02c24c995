"""Who may do what: sessions, posts that are meant, limits, and how a refusal is said."""

import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from anyio import CapacityLimiter, fail_after, to_thread
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from annotate.people.store.annotators import ADMIN
from annotate.people.store.vote_store import Annotator, Store
from annotate.people.web.buckets import Buckets, neighbourhood
from annotate.people.web.site import Site
from annotate.people.web.tokens import ADMIN_SESSION_S, SESSION_S, Session, Tokens

MOST_BYTES: Final = 16 * 1024
BODY_S: Final = 15.0
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

    def __init__(self, store: Store, tokens: Tokens, site: Site, failures: Buckets) -> None:
        self.store = store
        self.tokens = tokens
        self.site = site
        self._failures = failures
        # Few threads: more of them fight for the interpreter and make no answer come sooner.
        self._threads = CapacityLimiter(THREADS)
        self._votes = CapacityLimiter(THREADS)
        # With this prefix a browser takes the cookie from this very host only, and only over https.
        prefix = "__Host-" if site.https else ""
        self.listener_cookie = f"{prefix}listener"
        self.admin_cookie = f"{prefix}admin"

    def failed(self, request: Request) -> None:
        """Count a failed try to sign in; one with a link that works counts nothing, as nobody can guess one.

        Raises:
            Denied: 429, there were too many from this client's address.
        """
        if wait_s := self._failures.take(neighbourhood(request.client.host if request.client else "")):
            raise Denied(429, "slow", wait_s=wait_s)

    async def invited(self, token: str) -> Annotator | None:
        """Return the annotator whose invitation a token is; None = it is none, too old, or revoked."""
        invitation = self.tokens.invited(token)
        if invitation is None:
            return None
        annotator = await self.stored(self.store.annotator, str(invitation.annotator_id))
        works = annotator is not None and not annotator.elsewhere and annotator.revoked == invitation.revoked
        return annotator if works else None

    async def admin_invited(self, token: str) -> bool:
        """Tell whether a token lets in those who run the test."""
        invitation = self.tokens.admin_invited(token)
        return invitation is not None and invitation.revoked == await self.stored(self.store.revoked, ADMIN)

    async def let_in(self, address: str, annotator: Annotator | None) -> RedirectResponse:
        """Begin a session, and go on under an address without the invitation; None = of someone who runs the test."""
        listens, annotator_id = annotator is not None, annotator.annotator_id if annotator else None
        revoked = annotator.revoked if annotator else await self.stored(self.store.revoked, ADMIN)
        response = RedirectResponse(address, status_code=303)
        response.set_cookie(
            self.listener_cookie if listens else self.admin_cookie,
            self.tokens.session(annotator_id, revoked),
            max_age=SESSION_S if listens else ADMIN_SESSION_S,
            httponly=True,
            samesite="lax",
            secure=self.site.https,
        )
        return response

    async def listener(self, request: Request, *, votes: bool = False) -> tuple[Session, Annotator]:
        """Return the session and the annotator whose it is; of one who votes, ahead of all that is only asked.

        Raises:
            Denied: 401, there is no such session or annotator, or it was revoked.
        """
        session = self.tokens.listener(request.cookies.get(self.listener_cookie))
        if session is None:
            raise Denied(401, "session")
        ask = self.kept if votes else self.stored
        annotator = await ask(self.store.annotator, str(session.annotator_id))
        if annotator is None or annotator.revoked != session.revoked:
            raise Denied(401, "session")
        return session, annotator

    async def admin(self, request: Request) -> Session:
        """Return the session of someone who runs the test.

        Raises:
            Denied: 404, there is none, or it was revoked; strangers need not learn that there is such a page.
        """
        session = self.tokens.admin(request.cookies.get(self.admin_cookie))
        if session is None or session.revoked != await self.stored(self.store.revoked, ADMIN):
            raise Denied(404, "missing")
        return session

    async def posted(self, request: Request, session: Session, shape: type[M]) -> M:
        """Return what a page of this session posts.

        Raises:
            Denied: 403, another site or another session may have sent it; 408, it does not come; 413, 415, 422, it is too long
                or no such JSON.
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
        """Have the store keep an answer, or what keeping one takes, ahead of all that is only asked."""
        return await to_thread.run_sync(keep, *said, limiter=self._votes)


async def _body(request: Request) -> bytes:
    if int(request.headers.get("content-length", "0")) > MOST_BYTES:
        raise Denied(413, "other")
    body = bytearray()
    try:
        with fail_after(BODY_S):
            async for piece in request.stream():
                body += piece
                if len(body) > MOST_BYTES:
                    raise Denied(413, "other")
    except TimeoutError:
        raise Denied(408, "other") from None
    except ClientDisconnect:
        raise Denied(400, "other") from None  # nobody reads it
    return bytes(body)


def _storable(said: Any) -> Any:
    """Return what was posted, if a database can hold it and an answer can repeat it.

    Raises:
        ValueError: half a surrogate pair; or a NUL, at which PostgreSQL ends the transaction of all who write with this one.
    """
    if "\\u0000" in json.dumps(said, ensure_ascii=False).encode().decode():
        raise ValueError("a NUL stands in it")
    return said
