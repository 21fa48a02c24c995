"""The program as a module."""

import subprocess
import sys


def test_the_module_is_the_program():
    """It does what the installed command does, errors included, and does not end with 0 for doing nothing."""
    done = subprocess.run(
        [sys.executable, "-m", "flows.entry.program", "nonsense"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert "No such command 'nonsense'" in done.stderr
