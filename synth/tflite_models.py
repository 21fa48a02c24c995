"""Engines that are TensorFlow Lite networks on the CPU, run by LiteRT without TensorFlow.

Converters of before 2022 left two operations to TensorFlow ("Flex") that the interpreter has had of its own since:
``RandomUniform`` and ``All``. They are renamed in the model before it is loaded.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt


def open_model(path: Path) -> Any:
    """Return an interpreter of a model on one thread."""
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(model_content=without_tensorflow(path.read_bytes()), num_threads=1)


def run_model(interpreter: Any, inputs: Sequence[npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
    """Return the outputs for inputs in the model's order; only the first input may have another shape than the call before.

    The interpreter sets its random numbers back to their seeds when it prepares for another shape, so it is given another
    shape in between: what it returns then depends on its inputs alone.
    """
    places = interpreter.get_input_details()
    shape = inputs[0].shape
    for prepared in ((shape[0], shape[1] + 1, *shape[2:]), shape):
        interpreter.resize_tensor_input(places[0]["index"], prepared)
        interpreter.allocate_tensors()
    for place, value in zip(places, inputs, strict=True):
        interpreter.set_tensor(place["index"], value)
    interpreter.invoke()
    return [interpreter.get_tensor(place["index"]) for place in interpreter.get_output_details()]


def without_tensorflow(model: bytes) -> bytes:
    """Return a model whose Flex operations ``RandomUniform`` and ``All`` are the interpreter's own ones."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    tree = schema.ModelT.InitFromObj(schema.Model.GetRootAs(bytearray(model), 0))
    own = {
        b"FlexRandomUniform": (schema.BuiltinOperator.RANDOM_UNIFORM, schema.BuiltinOptions.RandomOptions, _random_options),
        b"FlexAll": (schema.BuiltinOperator.REDUCE_ALL, schema.BuiltinOptions.ReducerOptions, schema.ReducerOptionsT),
    }
    replaced = {index: own[code.customCode] for index, code in enumerate(tree.operatorCodes) if code.customCode in own}
    if not replaced:
        return model
    for index, (operator, _, _) in replaced.items():
        code = tree.operatorCodes[index]
        code.builtinCode, code.customCode, code.version = operator, None, 1
        code.deprecatedBuiltinCode = schema.BuiltinOperator.PLACEHOLDER_FOR_GREATER_OP_CODES
    for graph in tree.subgraphs:
        for operation in graph.operators:
            if operation.opcodeIndex in replaced:
                _, operation.builtinOptionsType, options = replaced[operation.opcodeIndex]
                operation.builtinOptions, operation.customOptions = options(), None
    builder = flatbuffers.Builder(len(model))
    builder.Finish(tree.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _random_options() -> Any:
    from ai_edge_litert import schema_py_generated as schema

    options = schema.RandomOptionsT()
    options.seed = options.seed2 = 1  # two zeros would ask for other numbers every time
    return options
