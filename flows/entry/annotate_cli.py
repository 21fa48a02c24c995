"""The commands of the listening test: ``unisrm-data annotate serve|invite|revoke|close|reopen|export|import``."""

import enum
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from contracts.errors import DataError, RecipeError
from flows.entry.listening_options import ADDRESS, address_of, levels_of, proxies_of
from flows.listening.secret import secret_of

if TYPE_CHECKING:
    from annotate.people.store.vote_store import Store
    from flows.run.pipeline import Build

annotate = typer.Typer(
    no_args_is_help=True, help="The listening test of a recipe: serve it, invite people, take votes in and out."
)


class ExportFormat(enum.StrEnum):
    """Formats of exported tasks."""

    csv = "csv"
    xlsx = "xlsx"
    jsonl = "jsonl"
    label_studio = "label-studio"


RecipePath = Annotated[Path, typer.Argument(metavar="RECIPE", help="recipe file (YAML)")]
WorkspaceUrl = Annotated[str | None, typer.Option("--workspace", "-w", help="folder or URL; default: the recipe's own")]
BaseUrl = Annotated[
    str | None,
    typer.Option(
        "--base-url",
        help="address at which listeners reach the test; default: $UNISRM_LISTENING_URL, else where it was last served",
    ),
]


def _warn_of_deadline(build: "Build") -> None:
    """Print a warning if the deadline passed before the test was opened."""
    from flows.listening.store import missed_deadline

    if (warning := missed_deadline(build)) is not None:
        print(warning, file=sys.stderr)


def _warn_of_gold(store: "Store", levels: dict[str, str] | None = None) -> None:
    """Print a warning if no listener, or none with these levels, can pass the qualification test yet."""
    needed, gold = store.settings.qualification, [item.language for item in store.items() if item.gold]
    languages = None if levels is None else store.settings.understood(levels)
    there = len(gold) if languages is None else sum(language in languages for language in gold)
    if there < needed:
        who, of = "nobody can", ""
        if languages is not None:
            who, of = "this listener cannot", f" in {' and '.join(languages) or 'no language'}"
        print(
            f"{who} pass the qualification test yet: it takes {needed} gold items{of} and {there} are there; write gold: made "
            "in the recipe's section listening, name a file there, make some on the admin's page, or set qualification to 0",
            file=sys.stderr,
        )


@annotate.command()
def serve(
    recipe: RecipePath,
    *,
    workspace: WorkspaceUrl = None,
    host: Annotated[
        str, typer.Option(help="address to listen at; put a proxy with TLS in front of anything but this machine")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
    base_url: BaseUrl = None,
    proxy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ADDRESS",
            help="proxy in front, whose X-Forwarded-For tells clients apart: an address or network, may be repeated; "
            "default: $UNISRM_LISTENING_PROXY, else nobody is believed",
        ),
    ] = None,
) -> None:
    """Serve the listening test until interrupted, and print the admin's link."""
    from annotate.people.store.annotators import ADMIN
    from annotate.people.web.app import make_app
    from annotate.people.web.audio import ClipFiles
    from annotate.people.web.serving import serve as run
    from annotate.people.web.site import ListeningSite
    from annotate.people.web.tokens import Tokens
    from flows.listening.store import note_answers, open_store
    from flows.recipe.listening_checks import require
    from flows.run.pipeline import open_build
    from flows.stages.listeners import rules_of

    build = open_build(recipe, workspace)
    proxies = proxies_of(proxy)
    section, secret, address = require(build.recipe), secret_of(build), address_of(build, base_url, port)
    _warn_of_deadline(build)
    site = ListeningSite(base_url=address, **section.site.model_dump())
    with open_store(build, secret=secret) as store:
        app = make_app(store, secret=secret, audio=ClipFiles(build.blobs), site=site, rules=rules_of(build))
        build.workspace.write(ADDRESS, address.encode())
        _warn_of_gold(store)
        admin = Tokens(secret).admin_invitation(store.revocation_count(ADMIN))
        print(f"listening test at {address}; admin: {address}/admin/i/{admin}", flush=True)
        try:
            run(app, host, port, proxies=proxies)
        finally:
            note_answers(build, store)


@annotate.command()
def invite(
    recipe: RecipePath,
    name: Annotated[str, typer.Argument(help="who it is; stays in the store, every table has a pseudonym")],
    level: Annotated[
        list[str], typer.Option(metavar="LANGUAGE=LEVEL", help="may be repeated; levels: none, basic, proficient, native")
    ],
    workspace: WorkspaceUrl = None,
    base_url: BaseUrl = None,
) -> None:
    """Invite somebody and print their link."""
    from annotate.people.web.tokens import Tokens
    from flows.listening.store import note_answers, open_store
    from flows.recipe.listening_checks import require
    from flows.run.pipeline import open_build

    build = open_build(recipe, workspace)
    languages, levels = require(build.recipe).languages, levels_of(level)
    address = address_of(build, base_url)
    _warn_of_deadline(build)
    with open_store(build) as store:
        if (known := store.find_annotator(name)) is not None:
            other = f" as {known.name!r}" if known.name != name else ""
            print(
                f"{name!r} was invited before{other}: this is a link of the same person; another one needs another name",
                file=sys.stderr,
            )
        annotator = store.invite(name, levels)
        note_answers(build, store)
        understood = store.settings.understood(levels)
        _warn_of_gold(store, levels)
    print(f"{address}/i/{Tokens(secret_of(build)).invitation(annotator.annotator_id, annotator.revocation_count)}")
    if unfit := [f"{language} ({needed})" for language, needed in languages.items() if language not in understood]:
        print(f"no items in {', '.join(unfit)} for this listener: no such level was given", file=sys.stderr)


@annotate.command()
def revoke(
    recipe: RecipePath,
    name: Annotated[str | None, typer.Argument(help="whose links and sessions end; what was answered stays")] = None,
    admin: Annotated[bool, typer.Option("--admin", help="end all links and sessions of those who run the test")] = False,
    workspace: WorkspaceUrl = None,
    base_url: BaseUrl = None,
) -> None:
    """End all links and sessions of a listener, or of those who run the test, at once; print a new admin link."""
    from annotate.people.store.annotators import ADMIN
    from annotate.people.web.tokens import Tokens
    from flows.listening.store import known_store
    from flows.recipe.listening_checks import require
    from flows.run.pipeline import open_build

    if (name is None) != admin:
        raise RecipeError("name the listener whose links end, or give --admin")
    build = open_build(recipe, workspace)
    require(build.recipe)
    if (opened := known_store(build)) is None:
        raise RecipeError(f"recipe {build.recipe.name} has no listening test yet: nobody was invited")
    with opened as store:
        if name is None:
            token = Tokens(secret_of(build)).admin_invitation(store.revoke(ADMIN))
            print(f"{address_of(build, base_url)}/admin/i/{token}")
            return
        annotator = store.find_annotator(name) or store.annotator(name)
        if annotator is None or annotator.is_imported:
            raise DataError(f"nobody named {name!r} was invited: the admin's page lists who was")
        store.revoke(annotator.annotator_id)
    print(f"all links and sessions of {annotator.name!r} have ended; `unisrm-data annotate invite` makes a new link")


def _set_closed(recipe: Path, workspace: str | None, *, closed: bool) -> None:
    from flows.listening.store import open_store
    from flows.run.pipeline import open_build

    with open_store(open_build(recipe, workspace)) as store:
        store.set_closed(closed)
        progress = store.progress()
    counts = f"{progress.votes} of {progress.wanted} votes are in, {progress.waiting} of {progress.items} items lack some"
    print(f"the test is {'closed' if closed else 'open'}: {counts}")


@annotate.command()
def close(recipe: RecipePath, workspace: WorkspaceUrl = None) -> None:
    """End a test that will get no more votes: nobody is asked any more, and the next build goes on with what there is."""
    _set_closed(recipe, workspace, closed=True)


@annotate.command()
def reopen(recipe: RecipePath, workspace: WorkspaceUrl = None) -> None:
    """Go on with a test that was closed: the next build waits for its votes again."""
    _set_closed(recipe, workspace, closed=False)


@annotate.command()
def export(
    recipe: RecipePath,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="where the tasks and their audio go; made if missing")],
    to: Annotated[ExportFormat, typer.Option("--to", help="what to write")] = ExportFormat.csv,
    url: Annotated[str | None, typer.Option(help="what links to clips begin with; default: relative or local ones")] = None,
    workspace: WorkspaceUrl = None,
) -> None:
    """Write what still wants votes as tasks for a vendor or for Label Studio, with the audio."""
    from annotate.people.exchange.import_export import export_tasks
    from flows.listening.written_instructions import own_guidance, written_instructions
    from flows.recipe.listening_checks import terms_of
    from flows.run.pipeline import open_build
    from flows.stages.listeners import open_items

    build = open_build(recipe, workspace)
    items, unpaid = open_items(build)
    if unpaid and not items:
        raise RecipeError(f"nothing to export: listening.budget_pay pays for none of {unpaid} items: set it higher")
    if not items:
        raise RecipeError("nothing to export: no item wants votes; build up to the listening test first, if you have not")
    kind: Any = to.value.replace("-", "_")
    protocol, seed = terms_of(build.recipe).protocol, build.recipe.seed
    file = export_tasks(
        items,
        folder,
        kind=kind,
        audio=build.blobs.pcm,
        seed=seed,
        protocol=protocol,
        url=url,
        instructions=written_instructions(build),
        guidance=own_guidance(build),
    )
    print(f"{len(items)} tasks: {file}")
    if unpaid:
        print(f"{unpaid} more are left out: listening.budget_pay does not pay for them", file=sys.stderr)


@annotate.command(name="import")
def take_in(
    recipe: RecipePath,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, XLSX, JSONL, or Label Studio's JSON")],
    mapping: Annotated[Path | None, typer.Option(help="YAML: columns of a vendor's file; default: an export's")] = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="take the good rows, write the others to a file")] = False,
    workspace: WorkspaceUrl = None,
) -> None:
    """Take votes in that were collected elsewhere; the same file again changes nothing."""
    from annotate.people.exchange.column_mapping import read_mapping
    from annotate.people.exchange.import_export import read_vote_file
    from flows.listening.store import note_answers, open_store
    from flows.listening.vote_files import import_summary, is_already_imported
    from flows.recipe.listening_checks import require, terms_of
    from flows.run.pipeline import open_build
    from flows.stages.listeners import subjects

    build = open_build(recipe, workspace)
    terms = terms_of(build.recipe)
    columns = read_mapping(mapping) if mapping else None
    if columns is not None and columns.annotators == "aggregated" and require(build.recipe).of == "splits":
        raise RecipeError(f"{mapping}: annotators: aggregated: a label without its votes verifies nothing: import the votes")
    found = read_vote_file(
        file,
        mapping=columns,
        protocol=terms.protocol,
        protocol_name=terms.protocol_name,
        known_subjects=subjects(build),
        seed=build.recipe.seed,
        skip_bad=skip_bad,
    )
    for note in found.notes:
        print(note, file=sys.stderr)
    rated = require(build.recipe).rated()
    with open_store(build) as store:
        unnamed = columns is not None and columns.annotators == "unnamed"
        if unnamed and is_already_imported(found.table, store.ratings() if rated else store.votes()):
            new = 0
        else:
            new = store.import_votes(found.table, found.aliases, found.places)
        note_answers(build, store)
        progress, held = store.progress(), store.ratings() if rated else store.votes()
        known_as = store.resolve_aliases(found.table["annotator_id"].to_pylist())
    print(import_summary(found, held, known_as, new))
    print(f"{progress.votes} of {progress.wanted} are in{'; the test is closed' if progress.closed else ''}")
