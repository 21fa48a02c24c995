"""Tasks that stop together: what is cut short, what is awaited."""

import asyncio
from collections.abc import Callable, Coroutine

import pytest

from annotate.models.calls.task_group import Crew


async def told(crew: Crew, log: list[str], name: str, how: str, wait: asyncio.Event) -> None:
    try:
        if how == "firmly":
            with crew.firmly():
                await wait.wait()
        elif how == "patiently":
            with crew.patiently():
                await wait.wait()
        else:
            await wait.wait()
        log.append(f"{name} finished")
        crew.go_on()
        log.append(f"{name} went on")
    except asyncio.CancelledError:
        log.append(f"{name} stopped")
        raise


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (Crew.stop, ["a stopped", "b finished", "b stopped", "c finished", "c stopped"]),
        (Crew.cut_off, ["a stopped", "b stopped", "c finished", "c stopped"]),
    ],
)
def test_a_stop_spares_the_patient_and_a_cut_only_the_firm(end: Callable[[Crew], None], expected):
    """What was spared finishes its block and begins nothing new."""

    async def scene() -> list[str]:
        crew, log, wait = Crew(), [], asyncio.Event()
        for name, how in (("a", ""), ("b", "patiently"), ("c", "firmly")):
            crew.begin(told(crew, log, name, how, wait))
        await asyncio.sleep(0)
        end(crew)
        await asyncio.sleep(0)
        wait.set()
        await crew.rest()
        return sorted(log)

    assert asyncio.run(scene()) == expected


def test_the_first_error_stops_all_and_is_kept():
    async def fail(message: str) -> None:
        raise ValueError(message)

    async def scene() -> tuple[str, bool]:
        crew = Crew()
        ended: list[str] = []
        crew.begin(told(crew, ended, "a", "", asyncio.Event()))
        crew.begin(fail("first"))
        crew.begin(fail("second"))
        await crew.rest()
        assert ended == ["a stopped"]
        return str(crew.error), crew.stopped

    assert asyncio.run(scene()) == ("first", True)


def test_after_a_stop_nothing_begins():
    async def scene() -> list[str]:
        crew, begun = Crew(), []

        async def work() -> None:
            begun.append("begun")

        crew.stop()
        work_: Coroutine[object, object, None] = work()
        crew.begin(work_)
        await crew.rest()
        return begun

    assert asyncio.run(scene()) == []
