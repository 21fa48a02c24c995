"""Programs that hang, crash, complain or stay silent on one text."""

import sys

import numpy as np
import pytest

from contracts.jobs import Failure
from synth.engine import Waveform
from synth.engine_program import absent, speak, version

WRITE = (
    "import sys, soundfile, numpy as np; text = open('text.txt', encoding='utf-8').read(); assert text == sys.stdin.read()\n"
    "for n in (1, 2, 10): soundfile.write(f'{n}.wav', np.full(100 * len(text), n / 100, dtype='float32'), 16000, subtype='FLOAT')"
)


def run(code: str, timeout_s: float = 20) -> Waveform | Failure:
    """Let Python play the engine."""
    return speak([sys.executable, "-c", code], "h\u00e9llo", timeout_s)


def test_pieces_are_joined_in_the_order_of_their_numbers():
    """Ten comes after two, and the text arrives whole in the file and on standard input."""
    answer = run(WRITE)
    assert isinstance(answer, Waveform)
    assert answer.sample_rate_hz == 16000
    assert np.unique(answer.samples, return_index=True)[1].tolist() == [0, 500, 1000]


@pytest.mark.parametrize(
    ("code", "reason", "said"),
    [
        ("import time; time.sleep(30)", "timeout", "within"),
        ("import os; os.abort()", "engine_crash", "signal 6"),
        ("import sys; sys.exit('no such vowel')", "engine_error", "no such vowel"),
        ("print('fine')", "engine_error", "no audio"),
        ("open('1.wav', 'w').write('hm')", "engine_error", "does not decode"),
        ("open('1.wav', 'w')", "engine_error", "does not decode"),
    ],
)
def test_each_way_to_fail_is_a_failure_with_what_the_program_said(code, reason, said):
    """None of them raises."""
    answer = run(code, timeout_s=3)
    assert isinstance(answer, Failure)
    assert answer.reason == reason
    assert said in answer.message


def test_festival_gets_no_marks_alone_and_speaks_the_others():
    """Its diphone voice dies of a segmentation fault on a quotation mark that stands alone, or behind an exclamation mark."""
    from synth.engine import RenderRequest
    from synth.engines.festival import Festival

    engine = Festival()
    if engine.missing():
        pytest.skip(engine.missing())
    texts = ["Good morning.", "'", "Hello! '", "Really? - `"]
    requests = [RenderRequest(text=text, language="en", voice="kal_diphone", seed=0, reference=None) for text in texts]
    first, poison, *others = engine.open().render(requests)
    assert isinstance(poison, Failure)
    assert poison.reason == "nothing_to_say"
    assert all(isinstance(answer, Waveform) for answer in (first, *others))


def test_versions_and_absence():
    """What a program says of itself, and what to install when it is not there."""
    assert version([sys.executable, "--version"], r"Python ([0-9.]+)") == sys.version.split()[0]
    assert version([sys.executable, "--version"], r"Perl ([0-9.]+)") == "unknown"
    assert (
        absent("no-such-engine", "engine-package")
        == "the program no-such-engine is not installed: apt-get install engine-package"
    )
