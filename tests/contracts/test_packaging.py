"""Our folders have names that other packages use too: each must be ours."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ["annotate", "contracts", "corpora", "filters", "flows", "scoring", "splits", "storage", "synth"]


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_folder_that_is_imported_is_ours(folder):
    """No package of that name in site-packages shadows it."""
    spec = importlib.util.find_spec(folder)
    assert Path(spec.origin).parent == ROOT / folder
