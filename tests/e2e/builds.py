"""Small real builds through the command line: how they are described, run, killed and found again."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import yaml

ROOT = Path(__file__).resolve().parents[2]
CLI = Path(sys.executable).parent / "unisrm-data"
SIGNALS_ON = ("env", "--default-signal=INT,HUP")
"""Prefix of a command: shells start what runs in the background with SIGINT ignored, and that is inherited."""


def tiny_recipe(folder: Path, **changes) -> Path:
    """Write a recipe that builds in seconds: two fast engines and the human recording on a few asterisk prompts."""
    recipe = {
        "name": "tiny",
        "seed": 5,
        "corpora": [{"name": "asterisk", "reader": "asterisk_prompts"}],
        "prompts": {"texts": 6, "min_duration_s": 3.0, "max_duration_s": 6.0, "min_words": 7, "reference_min_duration_s": 2.0},
        "systems": [
            {"name": "espeak", "engine": "espeak", "voices": ["en-us", "en-us+f3"]},
            {"name": "flite", "engine": "flite", "voices": ["kal16"]},
            {"name": "festival", "engine": "festival", "voices": ["kal_diphone"]},
        ],
        "metrics": [{"name": "prosody"}],
        "budget_usd": 5,
        "judge": {"name": "gemini", "options": {"concurrency": 2}},
        "filters": [{"name": "audio_sanity"}, {"name": "cycles"}],
        "splits": {"fractions": {"sft": 0.5, "rl": 0.25, "bench": 0.25}},
    }
    for key, value in changes.items():
        recipe[key] = recipe[key] | value if isinstance(value, dict) and key in recipe else value
    path = folder / f"{recipe['name']}.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return path


def unisrm(environment, *arguments, check=True, **options):
    """Run the command line to its end."""
    done = subprocess.run(
        [CLI, *map(str, arguments)],
        env=environment,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=600,
        check=False,
        **options,
    )
    assert not check or done.returncode == 0, done.stderr[-3000:]
    return done


def kill_when(environment, condition, *arguments) -> bool:
    """Start a build and ``kill -9`` it as soon as ``condition()`` holds; False if it ended before."""
    process = subprocess.Popen(
        [CLI, *map(str, arguments)], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT
    )
    deadline = time.monotonic() + 300
    while process.poll() is None and time.monotonic() < deadline:
        if condition():
            process.send_signal(signal.SIGKILL)
            process.wait()
            return True
        time.sleep(0.005)
    process.kill()
    process.wait()
    return False


def orphans(environment) -> list[str]:
    """Return the command lines of processes of these builds that are still alive."""
    home = environment["PREFECT_HOME"]
    found = []
    for process in psutil.process_iter(["pid", "cmdline"]):
        try:
            command = " ".join(process.info["cmdline"] or [])[:100]
            if process.pid != os.getpid() and process.environ().get("PREFECT_HOME") == home:
                found.append(command)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def built_demo(folder: Path, environment: dict[str, str], name: str, texts: int) -> tuple[Path, Path, Path]:
    """Build a recipe of the project with fewer texts; return its recipe, workspace and release folder."""
    literals = yaml.safe_load((ROOT / f"recipes/{name}.yaml").read_text())
    literals["prompts"]["texts"] = texts
    recipe = folder / f"{name}.yaml"
    recipe.write_text(yaml.safe_dump(literals))
    done = unisrm(environment, "build", recipe, "-w", folder / "ws")
    return recipe, folder / "ws", Path(done.stdout.strip().splitlines()[-1].removeprefix("release: "))
