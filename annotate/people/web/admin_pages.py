"""The admin pages: progress, listeners, gold items, export."""

import csv
import dataclasses
import io
import json
import threading
from collections.abc import Mapping
from typing import Annotated, Any, Final

import pyarrow as pa
from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from annotate.people.store.annotators import ADMIN
from annotate.people.store.listening_settings import LEVELS
from annotate.people.store.rule import ListenerRule
from annotate.people.store.store_records import Annotator
from annotate.people.web.access import Access, Denied, Posted
from annotate.people.web.admin_figures import agreement_by_language, annotator_rows
from annotate.people.web.rendering import Pages

_Id = Annotated[str, Field(min_length=1, max_length=200)]


class Invite(Posted):
    """Name and levels of a listener to invite."""

    name: _Id
    levels: Annotated[dict[str, str], Field(max_length=32)]


class AnnotatorId(Posted):
    """The id of a listener."""

    annotator_id: _Id


class Exclude(Posted):
    """A listener to exclude, and the reason."""

    annotator_id: _Id
    reason: _Id


class Gold(Posted):
    """An item to make gold, and its right values."""

    item_id: _Id
    values: Annotated[list[_Id], Field(min_length=1, max_length=16)]


class ItemId(Posted):
    """The id of an item."""

    item_id: _Id


class AdminPages:
    """Handles the requests of admins."""

    def __init__(self, access: Access, pages: Pages, rules: Mapping[str, ListenerRule]) -> None:
        self._access = access
        self._pages = pages
        self._store = access.store
        self._rules = rules
        self._lock = threading.Lock()
        self._cached: tuple[str, dict[str, Any]] | None = None

    @property
    def routes(self) -> list[Route]:
        """The routes of these pages."""
        return [
            Route("/admin/i/{token}", self.sign_in),
            Route("/admin", self.overview),
            Route("/admin/invite", self.invite, methods=["POST"]),
            Route("/admin/link", self.link, methods=["POST"]),
            Route("/admin/revoke", self.revoke, methods=["POST"]),
            Route("/admin/renew", self.renew, methods=["POST"]),
            Route("/admin/exclude", self.exclude, methods=["POST"]),
            Route("/admin/pardon", self.pardon, methods=["POST"]),
            Route("/admin/gold", self.gold, methods=["POST"]),
            Route("/admin/ungold", self.ungold, methods=["POST"]),
            Route("/admin/export/{name}", self.export),
        ]

    async def sign_in(self, request: Request) -> Response:
        """Redirect an admin link to an address without the token."""
        if not await self._access.admin_invited(request.path_params["token"]):
            self._access.failed(request)
            return self._pages.message(request, "link_bad", status=403)
        return await self._access.start_session("/admin", None)

    async def overview(self, request: Request) -> Response:
        """Show the overview of the test."""
        session = await self._access.admin(request)
        shown = await self._access.call_store(self._overview_values)
        return self._pages.part(request, "admin.html", csrf=session.csrf, **shown)

    def _overview_values(self) -> dict[str, Any]:
        with self._lock:
            version = self._store.version()
            if self._cached is None or self._cached[0] != version:
                items = self._store.items()
                answers = self._store.answers()
                self._cached = (
                    version,
                    {
                        "agreement": agreement_by_language(self._store.votes(), items),
                        "answers": answers,
                        "gold": [item for item in items if item.gold],
                    },
                )
            figures = self._cached[1]
        options = [option for question in self._store.settings.protocol.questions for option in question.options]
        return {
            "progress": self._store.progress(),
            "agreement": figures["agreement"],
            "annotators": annotator_rows(self._store.annotators(), figures["answers"], self._rules),
            "gold": figures["gold"],
            "languages": list(self._store.settings.languages),
            "levels": LEVELS,
            "values_hint": " ".join(options[-2:]),
            "exports": list(EXPORTS),
        }

    async def invite(self, request: Request) -> Response:
        """Invite a listener; return the link, and the stored spelling of the name if it is known already."""
        posted = await self._access.posted(request, await self._access.admin(request), Invite)
        known = await self._access.call_store(self._store.find_annotator, posted.name)
        annotator = await self._access.call_store(self._store.invite, posted.name, posted.levels)
        return JSONResponse({"link": self._link(annotator), "known": known.name if known else None})

    async def link(self, request: Request) -> Response:
        """Return the link of an invited listener."""
        posted = await self._access.posted(request, await self._access.admin(request), AnnotatorId)
        annotator = await self._access.call_store(self._store.annotator, posted.annotator_id)
        if annotator is None or annotator.is_imported:
            raise Denied(404, "missing")
        return JSONResponse({"link": self._link(annotator)})

    def _link(self, annotator: Annotator) -> str:
        token = self._access.tokens.invitation(annotator.annotator_id, annotator.revocation_count)
        return f"{self._access.site.base_url.rstrip('/')}/i/{token}"

    async def revoke(self, request: Request) -> Response:
        """Revoke all links and sessions of a listener; the answers stay."""
        posted = await self._access.posted(request, await self._access.admin(request), AnnotatorId)
        if await self._access.call_store(self._store.annotator, posted.annotator_id) is None:
            raise Denied(404, "missing")
        await self._access.call_store(self._store.revoke, posted.annotator_id)
        return JSONResponse({"saved": True})

    async def renew(self, request: Request) -> Response:
        """Revoke all admin links and sessions, this one included, and return a new link."""
        await self._access.posted(request, await self._access.admin(request), Posted)
        revocation_count = await self._access.call_store(self._store.revoke, ADMIN)
        token = self._access.tokens.admin_invitation(revocation_count)
        return JSONResponse({"link": f"{self._access.site.base_url.rstrip('/')}/admin/i/{token}"})

    async def exclude(self, request: Request) -> Response:
        """Exclude a listener."""
        posted = await self._access.posted(request, await self._access.admin(request), Exclude)
        await self._access.call_store(self._store.exclude, posted.annotator_id, ADMIN, {"reason": posted.reason})
        return JSONResponse({"saved": True})

    async def pardon(self, request: Request) -> Response:
        """Pardon a listener."""
        posted = await self._access.posted(request, await self._access.admin(request), AnnotatorId)
        await self._access.call_store(self._store.pardon, posted.annotator_id)
        return JSONResponse({"saved": True})

    async def gold(self, request: Request) -> Response:
        """Make an item gold."""
        posted = await self._access.posted(request, await self._access.admin(request), Gold)
        await self._access.call_store(self._store.make_gold, posted.item_id, posted.values)
        return JSONResponse({"saved": True})

    async def ungold(self, request: Request) -> Response:
        """Make an item an ordinary one."""
        posted = await self._access.posted(request, await self._access.admin(request), ItemId)
        await self._access.call_store(self._store.unmake_gold, posted.item_id)
        return JSONResponse({"saved": True})

    async def export(self, request: Request) -> Response:
        """Send a table of the test as a file."""
        await self._access.admin(request)
        name = request.path_params["name"]
        if name not in EXPORTS:
            raise Denied(404, "missing")
        table, kind = name.rsplit(".", 1)

        def file() -> bytes:
            if table == "items":
                return as_jsonl([dataclasses.asdict(item) for item in self._store.items()])
            rows: pa.Table = getattr(self._store, table)()
            return as_csv(rows) if kind == "csv" else as_jsonl(rows.to_pylist(maps_as_pydicts="strict"))

        return Response(
            await self._access.call_store(file),
            media_type="text/csv; charset=utf-8" if kind == "csv" else "application/x-ndjson",
            headers={"content-disposition": f'attachment; filename="{name}"'},
        )


EXPORTS: Final = ("votes.csv", "votes.jsonl", "ratings.csv", "ratings.jsonl", "answers.jsonl", "items.jsonl")


def as_csv(table: pa.Table) -> bytes:
    """Return a table as CSV, UTF-8 with a header; lists and maps as JSON, null as an empty field."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(table.column_names)
    for row in table.to_pylist(maps_as_pydicts="strict"):
        writer.writerow([_cell(value) for value in row.values()])
    return buffer.getvalue().encode()


def as_jsonl(rows: list[dict[str, Any]]) -> bytes:
    """Return rows as JSON lines."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def _cell(value: Any) -> Any:
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    # Spreadsheet programs run such cells as formulas.
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@\t\r" and value else value
