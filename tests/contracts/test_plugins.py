"""Plug-ins are found by file name, imported late, and configured strictly."""

import subprocess
import sys
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from contracts import plugins
from contracts.bounds import misread
from contracts.errors import RecipeError


def test_support_modules_are_no_plugins():
    """Only a file that defines PLUGIN is listed."""
    found = plugins.names("filter")
    assert {"cycles", "wer_gap", "agreement"} <= set(found)
    assert "chain" not in found
    assert "comparisons" not in found


def test_an_unknown_name_says_which_exist():
    """The nearest name is offered and all are listed."""
    with pytest.raises(RecipeError, match=r"unknown filter 'cycle'. Did you mean 'cycles'\? Known: .*wer_gap"):
        plugins.load("filter", "cycle")


def test_an_unknown_option_names_the_nearest():
    """A misspelt option is an error before anything runs."""
    with pytest.raises(RecipeError, match=r"no option 'maxgap'\. Did you mean 'max_gap'"):
        plugins.configure("filter", "wer_gap", {"maxgap": 0.1})


@pytest.mark.parametrize("kind", sorted(set(plugins.PACKAGES) - {"reward"}))
def test_every_plugin_loads_and_configures(kind):
    """With no options every plug-in that needs none can be configured; loading imports nothing heavy."""
    names = plugins.names(kind)
    assert names
    for name in names:
        assert plugins.load(kind, name) is not None


def test_loading_all_plugins_imports_no_heavy_library():
    """The command line lists engines and metrics without waiting for torch."""
    code = (
        "import sys; from contracts import plugins\n"
        "[plugins.load(kind, name) for kind in plugins.PACKAGES if kind != 'reward' for name in plugins.names(kind)]\n"
        "print(sorted({'torch', 'librosa', 'onnxruntime', 'faster_whisper', 'google.genai', 'ray', 'prefect'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_pydantic_would_make_something_else_of():
    """True is no 1, a text no boolean; where a value may be one, or anything, it may."""
    numbers = [int, float | None, dict[str, int], Annotated[float, Field(ge=0)], tuple[int, ...], Sequence[float]]
    assert all(misread(hint, value) for hint in numbers for value in (True, [False], {"a": True}))
    assert not any(misread(hint, True) for hint in (bool, bool | int, str, Any, dict[str, Any], list[bool]))
    assert not any(misread(hint, 1) for hint in numbers)
    assert misread(int, "1_000") == "write the number '1_000' without _"
    assert misread(bool | None, "yes") == "write true or false, not 'yes'"
    assert not any(misread(hint, "1_000") for hint in (str, int | str, Any, Literal["1_000"]))
