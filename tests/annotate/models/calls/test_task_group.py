"""Tasks that stop together: what is cut short, what is awaited."""

import asyncio
from collections.abc import Callable, Coroutine

import pytest

from annotate.models.calls.task_group import TaskGroup


async def told(task_group: TaskGroup, log: list[str], name: str, how: str, wait: asyncio.Event) -> None:
    try:
        if how == "firmly":
            with task_group.uncancellable():
                await wait.wait()
        elif how == "patiently":
            with task_group.cancelled_only_on_abort():
                await wait.wait()
        else:
            await wait.wait()
        log.append(f"{name} finished")
        task_group.raise_if_stopped()
        log.append(f"{name} went on")
    except asyncio.CancelledError:
        log.append(f"{name} stopped")
        raise


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (TaskGroup.stop, ["a stopped", "b finished", "b stopped", "c finished", "c stopped"]),
        (TaskGroup.abort, ["a stopped", "b stopped", "c finished", "c stopped"]),
    ],
)
def test_a_stop_spares_the_patient_and_a_cut_only_the_firm(end: Callable[[TaskGroup], None], expected):
    """What was spared finishes its block and begins nothing new."""

    async def scene() -> list[str]:
        task_group, log, wait = TaskGroup(), [], asyncio.Event()
        for name, how in (("a", ""), ("b", "patiently"), ("c", "firmly")):
            task_group.start(told(task_group, log, name, how, wait))
        await asyncio.sleep(0)
        end(task_group)
        await asyncio.sleep(0)
        wait.set()
        await task_group.wait()
        return sorted(log)

    assert asyncio.run(scene()) == expected


def test_the_first_error_stops_all_and_is_kept():
    async def fail(message: str) -> None:
        raise ValueError(message)

    async def scene() -> tuple[str, bool]:
        task_group = TaskGroup()
        ended: list[str] = []
        task_group.start(told(task_group, ended, "a", "", asyncio.Event()))
        task_group.start(fail("first"))
        task_group.start(fail("second"))
        await task_group.wait()
        assert ended == ["a stopped"]
        return str(task_group.error), task_group.stopped

    assert asyncio.run(scene()) == ("first", True)


def test_after_a_stop_nothing_begins():
    async def scene() -> list[str]:
        task_group, begun = TaskGroup(), []

        async def work() -> None:
            begun.append("begun")

        task_group.stop()
        work_: Coroutine[object, object, None] = work()
        task_group.start(work_)
        await task_group.wait()
        return begun

    assert asyncio.run(scene()) == []
