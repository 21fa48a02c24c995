"""Engines that are ONNX networks on the CPU."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from contracts.jobs import Failure
from synth.engine import Samples


def open_network(model: bytes | Path) -> Any:
    """Return an onnxruntime session on one thread: sums then have one order, and a rerun gives the same bits."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    source = model if isinstance(model, bytes) else str(model)
    return onnxruntime.InferenceSession(source, sess_options=options, providers=["CPUExecutionProvider"])


def infer(network: Any, inputs: Mapping[str, npt.NDArray[Any]]) -> Samples | Failure:
    """Return the first output as float32 samples of shape (n,); a failure if the network rejects these inputs."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    try:
        output = network.run(None, dict(inputs))[0]
    except (state.Fail, state.InvalidArgument, state.RuntimeException) as error:
        return Failure("engine_error", f"the network failed: {error}")
    return np.asarray(output, dtype=np.float32).ravel()
