"""The flow ``release``: push a finished release to the Hub. Only flows live here: Prefect loads this file by its path."""

from typing import Literal

from prefect import flow

from flows.exports.hub import HubRepository
from flows.exports.named_release import named_release
from flows.exports.push import Push, push_release


@flow(name="release", persist_result=False, log_prints=True)
def release(  # noqa: PLR0917  # a flow's parameters come by name
    push: str,
    recipe: str = "recipes/demo.yaml",
    workspace: str | None = None,
    public: bool = False,
    gated: Literal["auto", "manual"] | None = None,
    permitted: list[str] | None = None,
) -> str:
    """Push the release of a recipe to the Hub and return its address; the token is the worker's.

    Args:
        push: repository on the Hub, as ORG/NAME.
        recipe: path of the recipe, relative to the project, or folder or URL of a release.
        workspace: folder or URL; empty = the recipe's own.
        public: everybody may see it in the end.
        gated: auto or manual; empty = as it is.
        permitted: licences that permit the publication, as the user vouches.
    """
    wanted = Push(repository=HubRepository(push), public=public, gate=gated, permitted=permitted or ())
    return push_release(named_release(recipe, workspace or None), wanted)
