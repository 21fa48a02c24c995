"""The two ways by which somebody without the token may try to run code on a cluster. Each is refused, or says so by its exit code."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request

BROKEN_IN = 42
_INIT = f"""
import os, sys, ray
ray.init(address=sys.argv[1], log_to_driver=False)
ray.get(ray.remote(lambda: 1).remote(), timeout=100)
sys.exit({BROKEN_IN})
"""


def submits_a_job(port: int) -> str:
    """Post a job to whatever listens there, and return the answer: a status, or why there is none."""
    body = json.dumps({"entrypoint": "id", "runtime_env": {}}).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/job_agent/jobs/", data=body, headers={"Content-Type": "application/json"}, method="POST"
    )
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
            return str(answer.status)
    except urllib.error.HTTPError as error:
        return str(error.code)
    except (OSError, ValueError, urllib.request.http.client.HTTPException) as error:
        return type(error).__name__


def connects(port: int, **settings: str) -> "subprocess.Popen[str]":
    """Start a process that connects to the cluster and runs a task; it ends with ``BROKEN_IN`` if that worked."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")} | settings
    environment["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # else Ray itself makes another address of 127.0.0.1
    return subprocess.Popen(
        [sys.executable, "-c", _INIT, f"127.0.0.1:{port}"], env=environment, stderr=subprocess.PIPE, text=True
    )
