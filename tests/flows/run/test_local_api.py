"""What a flow run does when the Prefect server goes before it has begun, or while it works."""

import httpx
import pytest

from contracts.errors import DataError, SetupError
from flows.run.local_api import PrefectApi


class Api(PrefectApi):
    """A server that is there again as often as it is said to be."""

    def __init__(self, *answers):
        super().__init__("http://127.0.0.1:1/api")
        self._answers = list(answers)

    def answers(self, within_s):
        return self._answers.pop(0)


class Flow:
    """A flow whose runs raise these errors in turn, each before or after its body has begun."""

    def __init__(self, *errors, begins=False):
        self._errors, self.runs, self.begun = list(errors), 0, False
        self._begins = begins

    def __call__(self):
        self.runs += 1
        self.begun = self._begins
        if self._errors:
            raise self._errors.pop(0)
        self.begun = True


def refused():
    """The error of Prefect's client when it first calls a server that is not there."""
    error = RuntimeError("Failed to reach API at http://127.0.0.1:1/api")
    error.__cause__ = httpx.ConnectError("refused")
    return error


def test_a_flow_that_had_not_begun_runs_again():
    flow = Flow(refused(), httpx.ReadTimeout("slow"))
    Api(True, True).run_flow(flow, lambda: flow.begun)
    assert flow.runs == 3


@pytest.mark.parametrize(("answers", "begins", "runs"), [([False], False, 1), ([], True, 1), ([True] * 5, False, 5)])
def test_a_server_that_is_gone_for_good_is_one_error(answers, begins, runs):
    """Also one that comes and goes, and one that goes while the body works: the work is not done twice."""
    flow = Flow(*(refused() for _ in range(9)), begins=begins)
    with pytest.raises(SetupError, match="does not answer any more"):
        Api(*answers).run_flow(flow, lambda: flow.begun)
    assert flow.runs == runs


def test_an_error_of_the_work_itself_is_no_outage():
    """Whatever it was caused by."""
    error = DataError("no rows")
    error.__cause__ = httpx.ConnectError("refused")
    flow = Flow(error)
    with pytest.raises(DataError, match="no rows"):
        Api().run_flow(flow, lambda: flow.begun)
    with pytest.raises(ZeroDivisionError):
        Api().run_flow(lambda: 1 / 0, lambda: False)
