"""What an environment must hold beside a plug-in's own packages stays small, and so does the code of ours that runs there."""

import json
import subprocess
import sys

from contracts import plugins
from contracts.plugin_environment import SESSION_REQUIREMENTS
from synth.engine import is_service

SCRIPT = """
import json, sys
from contracts import plugins
import storage.environments.session_host
for kind, names in json.loads(sys.argv[1]).items():
    for name in names:
        plugins.load(kind, name)
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules} - set(sys.stdlib_module_names))))
print(json.dumps(sorted(name for name in sys.modules if name.split(".")[0] in {"contracts", "scoring", "storage", "synth", "flows"})))
"""

OURS = {"contracts", "scoring", "storage", "synth"}
BROUGHT_ALONG = {
    *("numpy", "packaging", "pydantic", "soundfile"),
    *("annotated_types", "pydantic_core", "typing_extensions", "typing_inspection"),  # of pydantic
    *("_cffi_backend", "cffi", "_soundfile", "_soundfile_data"),  # of soundfile
}


def imported(**kinds):
    """Return third-party packages and our modules that are loaded with the plug-ins of these kinds."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(kinds)], capture_output=True, text=True, check=True, timeout=120
    )
    packages, modules = map(json.loads, done.stdout.splitlines())
    return {
        name for name in packages if not name.startswith(("__", "_distutils", "_sysconfigdata", "sitecustomize"))
    } - OURS, modules


def test_engines_need_four_packages():
    """Neither Prefect, Ray, pandas and pyarrow, nor our torch; the packages are those that are installed for them."""
    names = [name for name in plugins.names("engine") if not is_service(plugins.load("engine", name))]
    packages, modules = imported(engine=names)
    assert packages <= BROUGHT_ALONG
    assert {requirement.split(">")[0] for requirement in SESSION_REQUIREMENTS} <= packages
    assert not any(name.startswith("flows") for name in modules)
    assert len(modules) <= 39, modules


def test_models_of_speech_need_no_more():
    """Metrics and recognisers that load a model. Prosody and error rates rest on our reading of texts, and stay here."""
    packages, modules = imported(metric=["audiobox", "dnsmos", "sim", "utmos"], asr=plugins.names("asr"))
    assert packages <= BROUGHT_ALONG
    assert not any(name.startswith("flows") for name in modules)
