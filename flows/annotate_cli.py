"""The command line's part about the listening test: ``unisrm-data annotate serve|invite|export|import``."""

import contextlib
import os
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from contracts.errors import RecipeError, SetupError
from flows.settings import Settings

if TYPE_CHECKING:
    from flows.pipeline import Build

annotate = typer.Typer(no_args_is_help=True, help="The listening test of a recipe: serve it, invite people, take votes in and out.")

_SECRET: Final = "listening.secret"  # noqa: S105 - the name of a file

RecipePath = Annotated[Path, typer.Argument(metavar="RECIPE", help="recipe file (YAML)")]
WorkspaceUrl = Annotated[str | None, typer.Option("--workspace", "-w", help="folder or URL; default: the recipe's own")]
BaseUrl = Annotated[
    str | None,
    typer.Option("--base-url", help="address at which listeners reach the test; default: $UNISRM_LISTENING_URL, else this machine"),
]


def secret_of(build: "Build") -> str:
    """Return the key of the test's links: the setting, or a file of the workspace that only its owner reads; made if missing.

    Raises:
        SetupError: there is neither, and no local folder for a file.
    """
    configured = Settings().listening_secret
    if configured is not None:
        return configured.get_secret_value()
    if not build.workspace.is_local:
        raise SetupError(f"workspace {build.workspace.url} is not on a local disk: set UNISRM_LISTENING_SECRET to a long random text")
    path = build.workspace.local_path(_SECRET)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{_SECRET}.{secrets.token_hex(4)}")
    with contextlib.suppress(FileExistsError):
        if not path.exists():
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
                handle.write(secrets.token_urlsafe(32))
            try:
                os.link(fresh, path)  # two at once: the first one's stays
            finally:
                fresh.unlink()
    return path.read_text(encoding="ascii").strip()


def _address(given: str | None, port: int = 8000) -> str:
    return (given or Settings().listening_url or f"http://127.0.0.1:{port}").rstrip("/")


def _levels(given: list[str]) -> dict[str, str]:
    """Read ``language=level``."""
    from annotate.listening.terms import LEVELS

    levels = {}
    for item in given:
        language, sign, level = item.partition("=")
        if not sign or level not in LEVELS:
            raise RecipeError(f"--level {item!r}: write LANGUAGE=LEVEL, the level one of {', '.join(LEVELS)}")
        levels[language] = level
    return levels


@annotate.command()
def serve(
    recipe: RecipePath,
    workspace: WorkspaceUrl = None,
    host: Annotated[str, typer.Option(help="address to listen at; put a proxy with TLS in front of anything but this machine")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
    base_url: BaseUrl = None,
) -> None:
    """Serve the listening test until interrupted, and print the admin's link."""
    from annotate.web.app import make_app
    from annotate.web.audio import encoded
    from annotate.web.serving import serve as run
    from annotate.web.site import Site
    from annotate.web.tokens import Tokens
    from flows.listening_store import open_store
    from flows.pipeline import open_build
    from flows.recipe_listening import require

    build = open_build(recipe, workspace)
    wish, secret, address = require(build.recipe), secret_of(build), _address(base_url, port)
    site = Site(base_url=address, **wish.site.model_dump())
    with open_store(build) as store:
        app = make_app(store, secret=secret, audio=encoded(build.blobs), site=site)
        print(f"listening test at {address}; admin: {address}/admin/i/{Tokens(secret).admin_invitation()}", flush=True)
        run(app, host, port)


@annotate.command()
def invite(
    recipe: RecipePath,
    name: Annotated[str, typer.Argument(help="who it is; stays in the store, every table has a pseudonym")],
    level: Annotated[list[str], typer.Option(metavar="LANGUAGE=LEVEL", help="may be repeated; levels: none, basic, proficient, native")],
    workspace: WorkspaceUrl = None,
    base_url: BaseUrl = None,
) -> None:
    """Invite somebody and print their link."""
    from annotate.web.tokens import Tokens
    from flows.listening_store import open_store
    from flows.pipeline import open_build
    from flows.recipe_listening import require

    build = open_build(recipe, workspace)
    languages, levels = require(build.recipe).languages, _levels(level)
    with open_store(build) as store:
        annotator = store.invite(name, levels)
    print(f"{_address(base_url)}/i/{Tokens(secret_of(build)).invitation(annotator.annotator_id)}")
    if unfit := [f"{language} ({needed})" for language, needed in languages.items() if language not in levels]:
        print(f"no items in {', '.join(unfit)} for this listener: no level was given", file=sys.stderr)
