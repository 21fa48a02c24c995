"""Connections to the Gemini API, and the key that they need."""

import asyncio
import contextlib
import importlib.util
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Final

from annotate.models.judge import KEY_CHECK_S
from annotate.models.providers.gemini.http_client import GeminiHttpClient
from annotate.models.request import AttemptFailure

KEY_VARIABLES: Final = ("GEMINI_API_KEY", "GOOGLE_API_KEY")
"""Environment variables that may hold the key; the first one that is set does."""

_ADDRESS: Final = "https://generativelanguage.googleapis.com"


def missing_key() -> str | None:
    """Say which package is missing, or that the key is."""
    if importlib.util.find_spec("google") is None or importlib.util.find_spec("google.genai") is None:
        return "the Python package google-genai is not installed: pip install google-genai"
    if (key := _api_key()) is None:
        return f"no API key: set the environment variable {' or '.join(KEY_VARIABLES)}"
    if not (key.isascii() and key.isprintable() and " " not in key):
        return f"the API key in {' or '.join(KEY_VARIABLES)} has characters that no key has: copy it again"
    return None


def key_problem(connect: Callable[[], AbstractAsyncContextManager[GeminiHttpClient]], model: str) -> str | None:
    """Request the description of a model, and say if the key is refused; see ``annotate.models.judge.Service``."""

    async def refused() -> str | None:
        async with connect() as http:
            answer = await http.call(http.client.aio.models.get(model=model), limit_s=KEY_CHECK_S)
        if not isinstance(answer, AttemptFailure) or answer.reason != "key_refused":
            return None
        variable = next(name for name in KEY_VARIABLES if os.environ.get(name, "").strip())
        return f"the API key in {variable} is refused: {answer.message}; {answer.advice}"

    return asyncio.run(refused())


@contextlib.asynccontextmanager
async def connected(*, base_url: str | None, timeout_s: float, concurrency: int) -> AsyncIterator[GeminiHttpClient]:
    """Open a connection with the key, which must be there.

    Args:
        base_url: another address of the API; None = Google's.
        timeout_s: longest wait for one call.
        concurrency: most connections.
    """
    from google import genai
    from google.genai import types

    from annotate.models.providers.http_connections import http_client

    key = _api_key()
    assert key is not None
    # Our own httpx client: the SDK's other transport sends a request again when a connection breaks.
    async with http_client(concurrency) as httpx_client:
        address = (base_url or _ADDRESS).rstrip("/")
        options = types.HttpOptions(base_url=address, api_version="v1beta", httpx_async_client=httpx_client)
        client = genai.Client(vertexai=False, api_key=key, http_options=options)
        yield GeminiHttpClient(client=client, httpx_client=httpx_client, base_url=address, secret=key, timeout_s=timeout_s)


def _api_key() -> str | None:
    return next((key.strip() for name in KEY_VARIABLES if (key := os.environ.get(name, "")).strip()), None)
