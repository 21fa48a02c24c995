"""Observers of a build: plain lines for logs, bars for terminals, both at once."""

import io

from rich.console import Console

from flows.run import progress
from flows.run.progress import Both, Lines, Terminal


def test_lines_give_count_rate_and_time_left(capsys, monkeypatch):
    """At most one line per ten seconds between beginning and end."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    lines = Lines()
    lines.start("samples", 100)
    for _ in range(4):
        now[0] += 6
        lines.advance(10, failed=1)
    lines.end()
    assert capsys.readouterr().err.splitlines() == [
        "samples: 100 to do",
        "samples: 20/100, 2 failed, 1.7/s, 48 s left",
        "samples: 40/100, 4 failed, 1.7/s, 36 s left",
        "samples: 40 done, 4 failed, in 24.0 s",
    ]


def test_a_stage_with_nothing_to_do_says_nothing(capsys):
    """No line for a stage that was done before."""
    lines = Lines()
    lines.start("samples", 0)
    lines.end()
    assert capsys.readouterr().err == ""


def test_bars_and_a_second_observer_see_the_same():
    """The terminal shows counts and failures, and the other observer is told everything too."""
    screen = io.StringIO()
    with Terminal(Console(file=screen, force_terminal=True, width=120)) as bars:
        both = Both(bars, Lines())
        both.start("metrics", 8)
        both.advance(8, 2)
        both.end()
    assert "metrics" in screen.getvalue()
    assert "8/8" in screen.getvalue()
    assert "2 failed" in screen.getvalue()
    assert "metrics: 8 done, 2 failed" in screen.getvalue()  # lines go above the bars while these are shown


def test_each_system_has_its_rate(capsys, monkeypatch):
    """Rows and seconds of audio a second, from the stage's begin to the system's last rows."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    lines = Lines()
    lines.start("samples", 30)
    now[0] += 4
    lines.advance(20, of="piper", audio_s=60.0)
    now[0] += 1
    lines.advance(10, of="human")
    lines.end()
    assert capsys.readouterr().err.splitlines() == [
        "samples: 30 to do",
        "samples: 30 done, 0 failed, in 5.0 s",
        "  piper: 20 in 4.0 s, 5.0/s, 15.0 s of audio a second",
        "  human: 10 in 5.0 s, 2.0/s",
    ]


def test_a_later_stage_has_a_count_of_its_own(capsys):
    """It moves neither the rate nor the time left of the running one."""
    screen = io.StringIO()
    with Terminal(Console(file=screen, force_terminal=True, width=120)) as bars:
        both = Both(bars, Lines())
        both.start("samples", 4)
        both.advance(4, of="piper", audio_s=9.0)
        for total in (4, 6):
            both.advance_ahead("metrics", 3, total, of="wer")
        both.end()
    shown = screen.getvalue()
    assert "4/4" in shown
    assert "6/6" in shown
    assert "samples: 4 done, 0 failed" in shown
    assert "; metrics: 6/6 already" in shown
    assert "wer: 6 in" in shown
