#!/usr/bin/env python3
"""Writes models/ beside this file: the packages that only tests need. Wants onnx==1.23.2."""
import pathlib

import onnx
from onnx import TensorProto, helper

HERE = pathlib.Path(__file__).parent / "models"


def write(name, nodes, inputs, outputs, text, initializers=()):
    folder = HERE / name
    folder.mkdir(parents=True, exist_ok=True)
    graph = helper.make_graph(nodes, name, [helper.make_tensor_value_info(*i) for i in inputs],
                              [helper.make_tensor_value_info(*o) for o in outputs], list(initializers))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(model)
    onnx.save(model, folder / "step.onnx")
    (folder / "model.textproto").write_text(text)


# Fails at run time, after all checks, when `x` has another size than the state.
write("picky",
      [helper.make_node("Add", ["total", "x"], ["total.next"]), helper.make_node("Identity", ["total.next"], ["y"])],
      [("total", TensorProto.FLOAT, [3]), ("x", TensorProto.FLOAT, ["n"])],
      [("y", TensorProto.FLOAT, ["m"]), ("total.next", TensorProto.FLOAT, ["m"])],
      'description: "Adds x, of any length that broadcasts, to a total of 3"\n'
      'state { index: "total" dtype: FLOAT32 shape: [3] }\n'
      'method { name: "step" }\n')

# A state that is given at MakeState, a random key, and a size that may change with every step.
write("mixed",
      [helper.make_node("Concat", ["log", "x"], ["log.next"], axis=0),
       helper.make_node("Identity", ["key"], ["y"])],
      [("log", TensorProto.FLOAT, ["rows", 2]), ("key", TensorProto.UINT32, [2]), ("x", TensorProto.FLOAT, ["new", 2])],
      [("y", TensorProto.UINT32, [2]), ("log.next", TensorProto.FLOAT, ["all", 2])],
      'description: "Appends rows to a log; returns its key"\n'
      'state { index: "log" dtype: FLOAT32 shape: [-1, 2] given {} }\n'
      'state { index: "key" dtype: UINT32 shape: [2] rng_key {} }\n'
      'method { name: "step" }\n')

# A state of any size, of which every step makes as much anew.
write("wide",
      [helper.make_node("Add", ["total", "x"], ["total.next"]),
       helper.make_node("ReduceMax", ["total.next"], ["y"], keepdims=0)],
      [("total", TensorProto.FLOAT, ["n"]), ("x", TensorProto.FLOAT, [])],
      [("y", TensorProto.FLOAT, []), ("total.next", TensorProto.FLOAT, ["n"])],
      'description: "Adds x to every element of a total of any length; returns the largest"\n'
      'state { index: "total" dtype: FLOAT32 shape: [-1] given {} }\n'
      'method { name: "step" }\n')
