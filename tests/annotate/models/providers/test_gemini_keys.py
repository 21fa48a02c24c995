"""A key that the Gemini API refuses, found out before anything is asked."""

import pytest

from annotate.models.providers.gemini.client import Gemini
from tests.annotate.gemini_asking import CANARY, api_key, gemini
from tests.annotate.gemini_server import Answer, error, serving

__all__ = ["api_key"]  # a fixture

SHOWN = {"name": "models/gemini-2.5-flash", "displayName": "Gemini 2.5 Flash", "inputTokenLimit": 1048576}
INVALID = {
    "error": {
        "code": 400,
        "message": f"API key not valid. Please pass a valid API key, not {CANARY}.",
        "status": "INVALID_ARGUMENT",
        "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}],
    }
}


@pytest.mark.parametrize(
    ("models", "said"),
    [
        (lambda key: Answer(body=SHOWN), None),
        (lambda key: Answer(400, INVALID), "HTTP 400 INVALID_ARGUMENT: API key not valid"),
        (lambda key: Answer(403, error(403, "PERMISSION_DENIED", "Your API key was reported as leaked.")), "leaked"),
        (lambda key: Answer(401, error(401, "UNAUTHENTICATED", "no")), "HTTP 401"),
        (None, None),
        (lambda key: Answer(404, "<html>nothing here</html>"), None),
        (lambda key: Answer(429, error(429, "RESOURCE_EXHAUSTED", "busy")), None),
        (lambda key: Answer(500, error(500, "INTERNAL", "oops")), None),
        (lambda key: Answer(200, "no JSON"), None),
    ],
)
def test_a_refused_key_is_found_out_for_nothing(models, said):
    """What the API says of a model tells it: one line with the variable, never the key. A proxy without that route is no error."""
    with serving(models=models) as server:
        problem = gemini(server).key_problem()
    assert server.prompts == []
    if said is None:
        assert problem is None
        return
    assert problem.startswith("the API key in GEMINI_API_KEY is refused: ")
    assert said in problem
    assert CANARY not in problem
    assert "\n" not in problem


def test_the_variable_that_holds_the_refused_key_is_named(monkeypatch):
    """There are two; and where nobody answers nothing is known."""
    monkeypatch.delenv("GEMINI_API_KEY")
    monkeypatch.setenv("GOOGLE_API_KEY", CANARY)
    with serving(models=lambda key: Answer(401, error(401, "UNAUTHENTICATED", f"bad {key}"))) as server:
        problem = gemini(server).key_problem()
    assert "the API key in GOOGLE_API_KEY is refused" in problem
    assert CANARY not in problem
    assert Gemini(base_url="http://127.0.0.1:9").key_problem() is None
