"""Engines that are programs: they read a text file and write WAV files, in a folder of their own."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import soundfile

from contracts.jobs import Failure
from synth.engine import Waveform

TEXT_FILE: Final = "text.txt"
"""Where a program finds its text; it is also connected to standard input."""


def absent(program: str, package: str) -> str | None:
    """Return how to get ``program`` if it is not on the PATH."""
    return None if shutil.which(program) else f"the program {program} is not installed: apt-get install {package}"


def version(argv: Sequence[str], pattern: str) -> str:
    """Return what the first group of ``pattern`` finds in the output of a version command; ``unknown`` if nothing."""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False, stdin=subprocess.DEVNULL)
    found = re.search(pattern, done.stdout + done.stderr)
    return found.group(1) if found else "unknown"


def speak(argv: Sequence[str], text: str, timeout_s: float) -> Waveform | Failure:
    """Run a program on one text.

    Args:
        argv: command line; it reads ``text.txt`` or standard input and writes ``1.wav``, ``2.wav`` ... into the working
            folder, to be joined in that order. The text itself is never an argument.
        text: what to say.
        timeout_s: when to give up.
    """
    with tempfile.TemporaryDirectory(prefix="speak-") as folder:
        source = Path(folder, TEXT_FILE)
        source.write_text(text, encoding="utf-8")
        try:
            with source.open("rb") as stdin:
                done = subprocess.run(argv, cwd=folder, stdin=stdin, capture_output=True, timeout=timeout_s, check=False)
        except subprocess.TimeoutExpired:
            return Failure("timeout", f"{argv[0]} did not finish within {timeout_s:g} s")
        if done.returncode < 0:
            return Failure("engine_crash", f"{argv[0]} was killed by signal {-done.returncode}")
        complaint = done.stderr.decode("utf-8", "replace").strip()[-500:]
        if done.returncode > 0:
            return Failure("engine_error", f"{argv[0]} exited with {done.returncode}: {complaint}")
        return _joined(sorted(Path(folder).glob("*.wav"), key=lambda path: int(path.stem)), f"{argv[0]}: {complaint}")


def _joined(files: Sequence[Path], complaint: str) -> Waveform | Failure:
    pieces, rates = [], set()
    for file in files:
        try:
            samples, rate = soundfile.read(file, dtype="float32")
        except soundfile.LibsndfileError as error:
            return Failure("engine_error", f"{complaint}; its output {file.name} does not decode: {error}")
        pieces.append(samples)
        rates.add(int(rate))
    if len(rates) != 1:
        return Failure("engine_error", f"{complaint}; {f'it wrote rates {sorted(rates)}' if rates else 'it wrote no audio'}")
    return Waveform(np.concatenate(pieces), rates.pop())
