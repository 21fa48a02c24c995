"""Rendering of pages: one template per page, everything escaped."""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse

from annotate.people.store.listening_settings import ListeningSettings
from annotate.people.web.instructions import instructions_of
from annotate.people.web.site import ListeningSite
from annotate.people.web.words import LANGUAGES, choose_language, words
from contracts.languages import base_language

PAGES: Final = Path(__file__).parent / "pages"
_SCRIPT_WORDS: Final = (
    *("connecting", "saving", "saving_again", "saved", "moved_on", "no_seeking", "cannot_play", "cannot_load", "trouble"),
    *("playing", "heard", "not_heard", "optional", "play_left", "plays_left", "check_wrong", "made_link", "known_already"),
)


@functools.cache
def environment() -> jinja2.Environment:
    """Return the template environment of all pages."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(PAGES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def language_of(request: Request) -> str:
    """Return the language for a request: of its address, else of the cookie, else of the browser."""
    return choose_language(
        from_address=request.query_params.get("lang"),
        from_cookie=request.cookies.get("lang"),
        accept_language=request.headers.get("accept-language", ""),
    )


def owner_text(texts: Mapping[str, str], language: str, fallback: str) -> list[str]:
    """Return the paragraphs of an owner's text in a language, else in another language, else of the app's text."""
    text = texts.get(language) or next((text for text in texts.values() if text), None) or fallback
    return [paragraph.strip() for paragraph in text.split("\n\n") if paragraph.strip()]


class Pages:
    """The pages of one test."""

    def __init__(self, site: ListeningSite, settings: ListeningSettings) -> None:
        self._site = site
        self._settings = settings

    def part(self, request: Request, template: str, **shown: Any) -> HTMLResponse:
        """Return a page or a part of one."""
        language = language_of(request)
        texts = words(language)
        status = shown.pop("status", 200)
        html = environment().get_template(template)
        response = HTMLResponse(
            html.render(
                site=self._site,
                lang=language,
                words=texts,
                script_words={key: texts[key] for key in _SCRIPT_WORDS},
                instructions=owner_text(self._site.instructions, language, instructions_of(self._settings, texts, language)),
                **{"csrf": None, **shown},
            ),
            status_code=status,
        )
        if base_language(request.query_params.get("lang", "")) in LANGUAGES:
            response.set_cookie("lang", language, max_age=365 * 86400, samesite="lax", httponly=True, secure=self._site.https)
        return response

    def message(self, request: Request, key: str, *, status: int = 200, text: str | None = None) -> HTMLResponse:
        """Return a page of one heading and one sentence."""
        texts = words(language_of(request))
        return self.part(request, "message.html", heading=texts[key], message=text or texts[f"{key}_text"], status=status)
