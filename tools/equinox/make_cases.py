#!/usr/bin/env python3
"""Makes cases: stateful Equinox models as ONNX graphs, with what Equinox itself computes for them.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install -r requirements.txt
    /tmp/venv/bin/python make_cases.py OUT [--seed N] [--scale N] [--steps N]

Each model of cases.py gets a folder of OUT:

    step.onnx    of x and the state arrays: gives y and, for each state array, "<index>.next"
    infer.onnx   where the model has an inference mode: gives y
    trajectory.safetensors
                 x, y, infer.y [steps, ...]; infer.y is of the state before the step
                 <index> [steps + 1, ...]: each state array before every step and after the last
    report.json  dtypes and shapes, and how far ONNX Runtime's steps are from Equinox's

A state array's index is the path of its StateIndex in the model, and the path in its value where that has several. Every
case is stepped through by ONNX Runtime, from its first state alone, and none is written that strays from Equinox.
package.py makes packages of cases.
"""
import argparse
import json
import pathlib
import sys

import equinox as eqx
import jax
import numpy as np
import onnx
import onnxruntime
from equinox.nn import StateIndex
from jax2onnx import to_onnx
from safetensors.numpy import save

from cases import all_cases
from lowering import lower

# What ONNX Runtime 1.21 loads.
OPSET, IR_VERSION = 22, 10
TOLERANCE = 1e-5


class CaseError(Exception):
    """A case that cannot be made."""


class NamedState:
    """The arrays of an Equinox state, by index, in the order of the model's tree."""

    def __init__(self, model, state):
        leaves, self._structure = jax.tree.flatten(state)
        numbered = jax.tree.unflatten(self._structure, range(len(leaves)))
        self._numbers = {}
        for path, node in jax.tree_util.tree_leaves_with_path(model, is_leaf=lambda node: isinstance(node, StateIndex)):
            if isinstance(node, StateIndex):
                for subpath, number in jax.tree_util.tree_leaves_with_path(numbered.get(node)):
                    self._numbers[jax.tree_util.keystr(path + subpath).removeprefix(".")] = number
        self.names = list(self._numbers)

    def arrays(self, state):
        leaves = jax.tree.leaves(state)
        return [leaves[number] for number in self._numbers.values()]

    def state(self, arrays):
        """A new State: Equinox lets each be set once only."""
        by_number = dict(zip(self._numbers.values(), arrays))
        return jax.tree.unflatten(self._structure, [by_number[number] for number in range(len(by_number))])


def flat_functions(case, named):
    """{method: a function of x and the state arrays, and the names of its results}."""
    def step(x, *arrays):
        y, state = case.step(case.model, x, named.state(arrays))
        return y, *named.arrays(state)

    def infer(x, *arrays):
        return case.step(eqx.nn.inference_mode(case.model), x, named.state(arrays))[:1]

    methods = {"step": (step, ["y", *(f"{name}.next" for name in named.names)])}
    return methods | {"infer": (infer, ["y"])} if case.infers else methods


def export(name, function, example, input_names, output_names):
    specs = [jax.ShapeDtypeStruct(array.shape, array.dtype) for array in example]
    graph = to_onnx(lower(function, example), specs, model_name=name, opset=OPSET, input_names=input_names,
                    output_names=output_names)
    graph.ir_version = min(graph.ir_version, IR_VERSION)
    onnx.checker.check_model(graph)
    return graph.SerializeToString(deterministic=True)


def trajectory(case, named, methods):
    """What Equinox computes, {name: stacked rows}."""
    compiled = {method: jax.jit(function) for method, (function, _) in methods.items()}
    history, ys, inferred = [named.arrays(case.state)], [], []
    for x in case.xs:
        if case.infers:
            inferred.append(compiled["infer"](x, *history[-1])[0])
        y, *arrays = compiled["step"](x, *history[-1])
        ys.append(y)
        history.append(arrays)
    tensors = {"x": case.xs, "y": np.stack(ys)} | ({"infer.y": np.stack(inferred)} if case.infers else {})
    return tensors | {name: np.stack(rows) for name, rows in zip(named.names, zip(*history))}


def run(session, feed):
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, map(np.asarray, session.run(names, feed))))


def replay(graphs, names, expected):
    """Steps the graphs in ONNX Runtime; the largest difference of each tensor from `expected`."""
    sessions = {method: onnxruntime.InferenceSession(graph) for method, graph in graphs.items()}
    differences = {name: 0.0 for name in expected if name != "x"}

    def compare(name, row, actual):
        want = expected[name][row, ...]
        tolerance = TOLERANCE if want.dtype.kind == "f" else 0
        if (actual.dtype, actual.shape) != (want.dtype, want.shape) or not np.allclose(
                actual, want, rtol=tolerance, atol=tolerance):
            raise CaseError(f"{name}, row {row}: ONNX Runtime gives {actual}; Equinox has {want}")
        difference = np.max(np.abs(actual.astype(np.float64) - want), initial=0)
        differences[name] = max(differences[name], float(difference))

    arrays = {name: expected[name][0, ...] for name in names}
    for t in range(len(expected["x"])):
        feed = {"x": expected["x"][t, ...], **arrays}
        if "infer" in sessions:
            compare("infer.y", t, run(sessions["infer"], feed)["y"])
        results = run(sessions["step"], feed)
        compare("y", t, results["y"])
        arrays = {name: results[f"{name}.next"] for name in names}
        for name, array in arrays.items():
            compare(name, t + 1, array)
    return differences


def make_case(case, folder):
    named = NamedState(case.model, case.state)
    methods = flat_functions(case, named)
    example = [case.xs[0], *named.arrays(case.state)]
    graphs = {method: export(f"{case.name}_{method}", function, example, ["x", *named.names], output_names)
              for method, (function, output_names) in methods.items()}
    tensors = trajectory(case, named, methods)

    def describe(name):
        return [str(tensors[name].dtype), list(tensors[name].shape[1:])]

    report = {"steps": len(case.xs), "x": describe("x"), "y": describe("y"),
              "state": {name: describe(name) for name in named.names},
              "max_abs_difference": replay(graphs, named.names, tensors)}
    folder.mkdir(parents=True, exist_ok=True)
    for method, graph in graphs.items():
        (folder / f"{method}.onnx").write_bytes(graph)
    (folder / "trajectory.safetensors").write_bytes(save(tensors))
    (folder / "report.json").write_text(json.dumps(report, indent=1) + "\n")
    return report


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path, help="where the cases go; made when not there")
    parser.add_argument("--seed", type=int, default=0, help="of all weights and inputs (default: 0)")
    parser.add_argument("--scale", type=int, default=1, help="multiplies batches and features (default: 1)")
    parser.add_argument("--steps", type=int, default=50, help="of each trajectory (default: 50)")
    args = parser.parse_args()
    for case in all_cases(args.seed, args.scale, args.steps):
        try:
            report = make_case(case, args.out / case.name)
        except CaseError as error:
            sys.exit(f"make_cases.py: case {case.name}: {error}")
        print(f"{args.out / case.name}: differs by at most {max(report['max_abs_difference'].values()):.1e}")


if __name__ == "__main__":
    main()
