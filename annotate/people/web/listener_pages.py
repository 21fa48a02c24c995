"""The pages of a listener. One address always shows the next step."""

from collections.abc import Callable
from typing import Annotated, Any, Final, Literal

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from annotate.people.store.item import ItemClip
from annotate.people.store.store_records import Annotator, Assignment, Finished, Refused
from annotate.people.web.access import Access, Denied, Posted
from annotate.people.web.assignment_page import clip_urls, key_help, page_values
from annotate.people.web.audio import media_type
from annotate.people.web.headphones import Challenges, sound
from annotate.people.web.instructions import known_languages, pay_of
from annotate.people.web.rendering import Pages, language_of, owner_text
from annotate.people.web.words import LANGUAGES, words
from contracts.languages import base_language

PRIVATE: Final = {"cache-control": "private, no-store"}

_Short = Annotated[str, Field(max_length=64)]
_Word = Annotated[str, Field(max_length=64)]


class Consent(Posted):
    """The consent of a listener."""

    agree: Literal["yes"]


class Check(Posted):
    """What a listener declares, and the answers of a headphone check."""

    challenge: _Short
    quiet: Literal["yes"]
    headphones: Literal["yes"]
    hearing: Literal["yes"]
    fluent: Literal["yes"]
    answers: Annotated[dict[_Word, _Word], Field(max_length=16)]


class PlaybackReport(Posted):
    """Start or end of a clip that a listener plays."""

    assignment: _Short
    slot: Annotated[str, Field(max_length=32)]
    what: Literal["started", "ended"]


class Vote(Posted):
    """An answer to an assignment, as a form."""

    assignment: _Short
    form: Annotated[dict[_Word, Annotated[list[_Word], Field(max_length=32)]], Field(max_length=64)]


class ListenerPages:
    """Handles the requests of listeners."""

    def __init__(self, access: Access, pages: Pages, challenges: Challenges, audio: Callable[[ItemClip], bytes]) -> None:
        self._access = access
        self._pages = pages
        self._challenges = challenges
        self._audio = audio
        self._store = access.store
        self._protocol = access.store.settings.protocol

    @property
    def routes(self) -> list[Route]:
        """The routes of these pages."""
        return [
            Route("/", self.step),
            Route("/i/{token}", self.sign_in),
            Route("/consent", self.consent, methods=["POST"]),
            Route("/check", self.check, methods=["POST"]),
            Route("/check/{challenge}/{number:int}", self.check_sound),
            Route("/next", self.part),
            Route("/upcoming", self.upcoming),
            Route("/audio/{assignment}/{slot}", self.audio),
            Route("/played", self.played, methods=["POST"]),
            Route("/vote", self.vote, methods=["POST"]),
        ]

    async def sign_in(self, request: Request) -> Response:
        """Redirect an invitation link to an address without the token; an existing session of the same listener stays valid."""
        annotator = await self._access.invited(request.path_params["token"])
        if annotator is None:
            self._access.failed(request)
            return self._pages.message(request, "link_bad", status=403)
        lang = request.query_params.get("lang")
        address = f"/?lang={base_language(lang)}" if lang and base_language(lang) in LANGUAGES else "/"
        known = self._access.tokens.read_session(request.cookies.get(self._access.listener_cookie))
        if known is not None and (known.annotator_id, known.revocation_count) == (
            annotator.annotator_id,
            annotator.revocation_count,
        ):
            return RedirectResponse(address, status_code=303)
        return await self._access.start_session(address, annotator)

    async def step(self, request: Request) -> Response:
        """Show the page of the next step."""
        if self._access.tokens.read_session(request.cookies.get(self._access.listener_cookie)) is None:
            return self._pages.message(request, "welcome", status=401)
        session, annotator = await self._access.listener(request)
        texts = words(language_of(request))
        if annotator.state == "invited":
            site = self._access.site
            return self._pages.part(
                request,
                "consent.html",
                csrf=session.csrf,
                step="consent",
                pay=pay_of(site, texts),
                consent=owner_text(site.consent, language_of(request), texts["consent_text"]),
                keys=key_help(self._protocol.questions, self._protocol.clips, texts),
            )
        if annotator.state == "consented":
            challenge = self._challenges.current(annotator.annotator_id)
            return self._pages.part(
                request,
                "check.html",
                csrf=session.csrf,
                step="check",
                challenge=challenge,
                languages=known_languages(self._own_levels(annotator), texts),
            )
        template, shown = await self._next_step(request, annotator)
        return self._pages.part(request, "work.html", csrf=session.csrf, part=template, **shown)

    def _own_levels(self, annotator: Annotator) -> dict[str, str]:
        """Return the languages of the test in which this listener gets items, with the levels these take."""
        settings = self._store.settings
        understood = settings.understood(annotator.levels)
        return {language: level for language, level in settings.languages.items() if language in understood}

    async def part(self, request: Request) -> Response:
        """Show the part of the page of the next step."""
        session, annotator = await self._access.listener(request)
        template, shown = await self._next_step(request, annotator)
        return self._pages.part(request, template, csrf=session.csrf, **shown)

    async def _next_step(self, request: Request, annotator: Annotator) -> tuple[str, dict[str, Any]]:
        language = language_of(request)
        texts = words(language)
        following = await self._access.call_store(self._store.next, annotator.annotator_id)
        if isinstance(following, Assignment):
            return "item.html", {
                "answered": annotator.answered,
                **page_values(following, self._protocol.questions, texts, language),
            }
        has_ended = following.reason in ("failed", "excluded")
        retry = not has_ended and await self._may_get_more(following)
        text = f"{following.reason}_text" if has_ended else "thanks_wait" if retry else "thanks_all"
        if following.reason == "no_budget":
            text = "thanks_budget"
        return "end.html", {
            "heading": texts[following.reason if has_ended else "thanks"],
            "message": texts[text],
            "answered": None if has_ended else annotator.answered,
            "retry": retry,
        }

    async def _may_get_more(self, following: Finished) -> bool:
        if following.reason in ("no_gold", "no_budget"):
            return True
        progress = await self._access.call_store(self._store.progress)
        return progress.waiting > 0 or not progress.items  # the test may be served before its items are added

    async def consent(self, request: Request) -> Response:
        """Record the consent of a listener."""
        session, _ = await self._access.listener(request)
        await self._access.posted(request, session, Consent)
        await self._access.call_store(self._store.consent, session.annotator_id)
        return JSONResponse({"saved": True})

    async def check(self, request: Request) -> Response:
        """Grade the answers of the headphone check."""
        session, annotator = await self._access.listener(request)
        posted = await self._access.posted(request, session, Check)
        if annotator.state != "consented":
            raise Denied(409, "state")
        right, wait_s = self._challenges.grade(annotator.annotator_id, posted.challenge, posted.answers)
        if wait_s:
            text = words(language_of(request))["check_wait"].replace("{n}", str(int(wait_s // 60) + 1))
            return JSONResponse({"reason": "wait", "message": text, "wait_s": wait_s}, status_code=409)
        if not right:
            return JSONResponse({"reason": "wrong", "message": words(language_of(request))["check_wrong"]}, status_code=409)
        await self._access.call_store(self._store.confirm_equipment, annotator.annotator_id)
        return JSONResponse({"saved": True})

    async def check_sound(self, request: Request) -> Response:
        """Send a sound of the headphone check that is open."""
        session, _ = await self._access.listener(request)
        challenge = self._challenges.current(str(session.annotator_id))
        number = request.path_params["number"]
        if challenge.challenge_id != request.path_params["challenge"] or number >= len(challenge.puzzles):
            raise Denied(404, "missing")
        file = await self._access.call_store(sound, challenge.puzzles[number])
        return Response(file, media_type="audio/flac", headers=PRIVATE)

    async def upcoming(self, request: Request) -> Response:
        """Send the addresses of the next assignment's clips, to be loaded in advance."""
        session, _ = await self._access.listener(request)
        following = await self._access.call_store(self._store.upcoming, session.annotator_id)
        return JSONResponse({"audio": clip_urls(following) if following else []})

    async def audio(self, request: Request) -> Response:
        """Send a clip of an assignment of this listener."""
        _, listener = await self._access.listener(request)
        assignment, slot = request.path_params["assignment"], request.path_params["slot"]

        def file() -> bytes:
            if listener.state in ("failed", "excluded"):
                raise Denied(404, "missing")
            leased = self._store.assignment(assignment, listener.annotator_id)
            return self._audio(leased.playable(slot).clip)

        try:
            sent = await self._access.call_store(file)
        except Refused as refused:
            raise Denied(404, "missing") from refused
        return Response(sent, media_type=media_type(sent), headers=PRIVATE)

    async def played(self, request: Request) -> Response:
        """Record that a clip has started or ended."""
        session, _ = await self._access.listener(request)
        posted = await self._access.posted(request, session, PlaybackReport)
        await self._access.call_store(self._store.played, posted.assignment, session.annotator_id, posted.slot, posted.what)
        return JSONResponse({"saved": True})

    async def vote(self, request: Request) -> Response:
        """Store an answer; a repeated request gets the same reply."""
        session, _ = await self._access.listener(request, votes=True)
        posted = await self._access.posted(request, session, Vote)
        answer = self._protocol.read(posted.form)
        receipt = await self._access.write_vote(self._store.answer, posted.assignment, session.annotator_id, answer)
        return JSONResponse({"saved": True, "number": receipt.number})
