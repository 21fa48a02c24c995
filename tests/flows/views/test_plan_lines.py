"""What plans are made of."""

from flows.views.plan_lines import cpu_hours


def test_cpu_hours_are_as_the_plug_in_says():
    """An hour of audio takes as many CPU hours as a second takes seconds; a plug-in that does not say makes it unknown."""
    assert cpu_hours("engine", "festival", 3600) == 0.18
    assert cpu_hours("metric", "wer", 7200) == 0.6
    assert cpu_hours("engine", "xtts", 3600) is None
