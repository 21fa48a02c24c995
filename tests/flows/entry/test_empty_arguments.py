"""Empty arguments, as of variables of the shell that are not set: no command takes one for something."""

import pytest
from typer.testing import CliRunner

from contracts.errors import RecipeError, StorageError, UnisrmError
from flows.entry.cli import app
from flows.run.pipeline import open_build
from storage.release_verification import verify_release
from tests.flows.small import corpus, recipe


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["verify", ""], "argument 2"),
        (["verify", " "], "argument 2"),
        (["plan", ""], "argument 2"),
        (["plan", "r.yaml", "--workspace", ""], "argument 4"),
        (["plan", "r.yaml", "--workspace="], "--workspace="),
        (["build", "r.yaml", "--ray", ""], "argument 4"),
        (["build", "r.yaml", "--until", ""], "argument 4"),
        (["explain", "r.yaml", ""], "argument 3"),
        (["report", "r.yaml", "-o", ""], "argument 4"),
        (["reannotate", "r.yaml", "--judge", ""], "argument 4"),
        (["annotate", "invite", "r.yaml", "", "--level", "en=native"], "argument 4"),
        (["annotate", "export", "r.yaml", ""], "argument 4"),
        (["annotate", "import", "r.yaml", "v.csv", "--mapping="], "--mapping="),
    ],
)
def test_an_empty_argument_is_an_error(arguments, named):
    done = CliRunner().invoke(app, arguments)
    assert isinstance(done.exception, UnisrmError)
    assert str(done.exception).startswith(f"{named} is empty: give it a value, or leave it out")


def test_an_option_of_a_judge_may_be_empty():
    """That is a value in YAML, and the recipe is what is missing."""
    done = CliRunner().invoke(app, ["reannotate", "absent.yaml", "--option", "key="])
    assert isinstance(done.exception, RecipeError)
    assert "absent.yaml" in str(done.exception)


@pytest.mark.parametrize("url", ["", " "])
def test_the_current_folder_is_no_release_of_no_name(url):
    with pytest.raises(StorageError, match="no folder or URL has that name"):
        verify_release(url)


def test_a_workspace_of_no_name_is_not_the_recipes_own(tmp_path):
    corpus(tmp_path / "corpus", [])
    with pytest.raises(StorageError, match="workspace '': no folder or URL has that name"):
        open_build(recipe(tmp_path), "")
    with pytest.raises(StorageError, match="workspace '': no folder or URL has that name"):
        open_build(recipe(tmp_path, workspace=""))
