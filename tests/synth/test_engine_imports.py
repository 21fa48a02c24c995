"""Engines run in environments of their own, which have numpy and none of our other packages."""

import subprocess
import sys

import pytest

HOSTED = ["synth.engine", "synth.cloning", "contracts.language_codes"]


@pytest.mark.parametrize("module", HOSTED)
def test_what_engines_are_made_of_needs_no_package_of_ours(module):
    foreign = "{'pyarrow', 'pydantic', 'yaml', 'regex', 'opencc', 'jinja2', 'torch'}"
    code = f"import sys, {module}; assert not {foreign} & set(sys.modules), {foreign} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
