"""``make check-trainers``: our exports, read by the trainers' own code, each in an environment of its own outside the tree.

Each trainer pins another transformers, datasets and hub, so there is one environment per trainer, named by the hash of its pins
(``pins/<trainer>.txt``) and kept in the user's cache. torch, datasets and what else fits come from our environment, which follows
the trainer's own packages on the path. Nothing is downloaded but these packages: a toy processor and models of one layer do.

    python -m tests.consumers [--release RELEASE] [TRAINER ...]
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from flows.exports.export import Wanted, export_release
from flows.exports.named_release import NamedRelease, named_release
from storage.downloads import cache_home
from storage.release_reader import columns_of, read_shard, shards_of
from tests.consumers.export_listing import COMPLETIONS
from tests.flows.exports.tiny_release import released

HERE = Path(__file__).parent
TRAINERS = {file.stem: file for file in sorted((HERE / "pins").glob("*.txt"))}


def environment_of(trainer: str) -> Path:
    """Return the interpreter of a trainer's environment, which is made if it is not there."""
    pins = TRAINERS[trainer].read_bytes()
    folder = cache_home() / "unisrm-data" / "trainers" / f"{trainer}-{hashlib.sha256(pins).hexdigest()[:12]}"
    python, made = folder / "bin" / "python", folder / "complete"
    if not made.exists():
        print(f"{trainer}: making an environment in {folder}", flush=True)
        uv = Path(sys.executable).with_name("uv")
        subprocess.run([uv, "venv", "-q", "--allow-existing", "--python", sys.executable, folder], check=True)
        index = subprocess.run(
            [sys.executable, "-m", "pip", "config", "get", "global.index-url"], capture_output=True, text=True, check=False
        ).stdout.strip()
        listed = ["--index-url", index] if index else []
        subprocess.run(
            [uv, "pip", "install", "-q", "--python", python, "--no-deps", *listed, "-r", TRAINERS[trainer]], check=True
        )
        (site,) = folder.glob("lib/python*/site-packages")
        (site / "unisrm.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
        made.touch()
    return python


def write_completions(release: NamedRelease, file: Path) -> None:
    """Write item -> completion of all rows that have one: what the rewards are called with."""
    found: dict[str, str] = {}
    for shards in shards_of(release.workspace, release.folder).values():
        for shard in shards:
            names = columns_of(release.workspace, release.folder, shard)
            if "completion" in names:
                rows = read_shard(release.workspace, release.folder, shard, [names[0], "completion"]).to_pylist()
                found |= {row[names[0]]: row["completion"] for row in rows if row["completion"] is not None}
    file.write_text(json.dumps(found))


def check(trainer: str, release: NamedRelease, split: str | None, work: Path) -> bool:
    """Export a release for a trainer and let its code read it; return whether it took all rows."""
    python = environment_of(trainer)
    folder = work / trainer
    exported = export_release(release, folder, Wanted(format=trainer, split=split))
    print("\n".join(f"{trainer}: {line}" for line in exported.lines()[:-1]), flush=True)
    variables = os.environ | {
        # The programs' own folder, too: packages of some trainers carry a package ``tests``.
        "PYTHONPATH": os.pathsep.join(map(str, [HERE.parent.parent, HERE, folder])),
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(work / "hub"),
        "MODELSCOPE_CACHE": str(work / "modelscope"),
        "ROOT_IMAGE_DIR": str(folder),
        "DISABLE_VERSION_CHECK": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "TQDM_DISABLE": "1",
    }
    program = HERE / f"read_{trainer}.py"
    done = subprocess.run([python, "-P", program, folder], cwd=folder, env=variables, check=False)
    print(f"{trainer}: {'all rows taken' if done.returncode == 0 else f'FAILED ({done.returncode})'}", flush=True)
    return done.returncode == 0


def main() -> None:
    """Check the trainers and exit with 1 if one of them refuses something."""
    parser = argparse.ArgumentParser(description="Let trainers' own code read our exports.")
    parser.add_argument("trainers", nargs="*", metavar="TRAINER", default=list(TRAINERS), help=", ".join(TRAINERS))
    parser.add_argument("--release", help="recipe or release to export; default: a tiny one of every sort of rows")
    parser.add_argument("--split", help="of the release; default: all")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="unisrm-trainers-") as folder:
        work = Path(folder)
        release = released(work / "workspace") if given.release is None else named_release(given.release)
        write_completions(release, work / COMPLETIONS)
        outcomes = [check(trainer, release, given.split, work) for trainer in given.trainers]
    sys.exit(0 if all(outcomes) else 1)


if __name__ == "__main__":
    main()
