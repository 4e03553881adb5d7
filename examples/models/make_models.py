#!/usr/bin/env python3
"""Writes the example models beside this file, and what numpy computes for them into tests/data/examples.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install -r requirements.txt
    /tmp/venv/bin/python make_models.py

A second run writes the same bytes. Every model is a package: model.textproto, one graph for each method, and the arrays
that its state starts with where they are not zeros. Graphs are written in ONNX's own text format, with a state array
`a` as the input `a` and the output `a.next`. Beside the graphs stand plain numpy functions, in double precision, that
compute the same from the formulas; tests/e2e/examples_test.cc holds the server to their trajectories:

    tests/data/examples/<model>.safetensors
        <method>/<name> [T, ...]    inputs and outputs of each method, on the state before step t
        <index> [T+1, ...]          each state array before step t, and after the last step

The formulas, with their sources, are in each model's section here and in its model.textproto.
"""
import pathlib

import numpy as np
import onnx
import onnx.parser
from safetensors.numpy import save

HERE = pathlib.Path(__file__).resolve().parent
TRAJECTORIES = HERE.parent.parent / "tests/data/examples"
# What ONNX Runtime 1.21 loads.
HEADER = '<ir_version: 10, opset_import: ["" : 21], producer_name: "stepwell-examples">'


def write_package(name, text, graphs, initial=None, weights=None):
    """`graphs`: {method: (signature, body)} in ONNX's text format; `weights` become initializers of every graph."""
    folder = HERE / name
    folder.mkdir(exist_ok=True)
    (folder / "model.textproto").write_text(text.lstrip())
    for method, (signature, body) in graphs.items():
        model = onnx.parser.parse_model(f"{HEADER}\n{name}_{method} {signature}\n{{{body}}}")
        used = {value for node in model.graph.node for value in node.input}
        model.graph.initializer.extend(onnx.numpy_helper.from_array(value, key)
                                       for key, value in (weights or {}).items() if key in used)
        onnx.checker.check_model(model, full_check=True)
        (folder / f"{method}.onnx").write_bytes(model.SerializeToString(deterministic=True))
    if initial:
        (folder / "initial.safetensors").write_bytes(save(initial))


def write_trajectory(name, state, inputs, methods, dtypes=None):
    """Steps `methods["step"]` over `inputs`, a list of {input: value}, from `state`, {index: value}.

    A method takes the state and its inputs by name and returns (outputs, state); what it returns of `dtypes`, {name:
    dtype}, has that dtype, and everything else is float32.
    """
    rows = {}

    def note(key, value):
        dtype = (dtypes or {}).get(key.rpartition("/")[2], np.float32)
        rows.setdefault(key, []).append(np.asarray(value, dtype))

    for given in inputs:
        for index, value in state.items():
            note(index, value)
        before = state
        for method, function in methods.items():
            outputs, after = function(before, **given)
            for key, value in (given | outputs).items():
                note(f"{method}/{key}", value)
            state = after if method == "step" else state
    for index, value in state.items():
        note(index, value)
    TRAJECTORIES.mkdir(parents=True, exist_ok=True)
    content = save({key: np.stack(values) for key, values in rows.items()})
    (TRAJECTORIES / f"{name}.safetensors").write_bytes(content)


# --- vitals: online anomaly scores ---------------------------------------------------------------------------------
#
# The additive seasonal model of exponential smoothing, ETS(A,N,A), in its error-correction form: the mean is its level,
# the season its seasonal component (R. J. Hyndman and G. Athanasopoulos, Forecasting: Principles and Practice, 3rd
# edition, section 8.5, https://otexts.com/fpp3/ets.html; gamma = decay (1 - alpha), section 8.3). Its errors' variance
# is weighted exponentially as well (T. Finch, Incremental calculation of weighted mean and variance, 2009, equation
# 143). While the weight is 1 / n, both are the plain mean and population variance of Welford's method.

VITALS_TEXT = '''
# Scores how unusual each observation of 8 signals is, and learns from it.
#
#   error     = x - mean - season[slot mod 60]
#   z         = error / sqrt(variance + 1e-4), but 0 while count < 10
#   score     = the largest |z|
#
# and then, in `step` only, with weight = max(decay, 1 / (count + 1)):
#
#   mean'     = mean + weight * error
#   variance' = (1 - weight) * (variance + weight * error^2)
#   season'   = season, with season[slot mod 60] + decay * (x - mean' - season[slot mod 60]) in that row
#   count'    = count + 1
#
# Sources: R. J. Hyndman and G. Athanasopoulos, Forecasting: Principles and Practice, 3rd edition, sections 8.3 and 8.5
# (exponential smoothing with an additive season, in the error-correction form); T. Finch, Incremental calculation of
# weighted mean and variance, 2009, equation 143. The first observations, while 1 / (count + 1) is the larger weight,
# are averaged as in B. P. Welford, Note on a method for calculating corrected sums of squares and products, 1962.
description: "Online anomaly scores of 8 signals: exponentially weighted mean and variance, and a seasonal profile"

# Observations so far.
state { index: "count" dtype: INT64 }
state { index: "mean" dtype: FLOAT32 shape: [8] }
# Of the errors. 1e-4 is added to it for z: a signal that never varied is taken to have a standard deviation of 0.01.
state { index: "variance" dtype: FLOAT32 shape: [8] }
# How each of 60 slots, such as the seconds of a minute, differs from the mean.
state { index: "season" dtype: FLOAT32 shape: [60, 8] }
# The weight of a new observation, from 0 to 1. No method writes it: set it to tune a stream that runs.
state { index: "decay" dtype: FLOAT32 constant { value: 0.05 } }

method { name: "step" }
# What step would answer, without learning.
method { name: "score" }
'''

VITALS_CONSTANTS = "int64 period = {60}, int64 warm_up = {10}, float epsilon = {0.0001}, float nothing = {0}"

VITALS_SCORE = '''
  row = Mod(slot, period)
  seasonal = Gather(season, row)
  expected = Add(mean, seasonal)
  error = Sub(x, expected)
  guarded = Add(variance, epsilon)
  deviation = Sqrt(guarded)
  ratio = Div(error, deviation)
  is_warming_up = Less(count, warm_up)
  z = Where(is_warming_up, nothing, ratio)
  distance = Abs(z)
  score = ReduceMax<keepdims = 0>(distance)
'''

VITALS_LEARN = '''
  "count.next" = Add(count, one_more)
  observations = Cast<to = 1>("count.next")
  share = Reciprocal(observations)
  weight = Max(decay, share)
  change = Mul(weight, error)
  "mean.next" = Add(mean, change)
  square = Mul(change, error)
  widened = Add(variance, square)
  kept = Sub(whole, weight)
  "variance.next" = Mul(kept, widened)
  remainder = Sub(error, change)
  seasonal_change = Mul(decay, remainder)
  new_seasonal = Add(seasonal, seasonal_change)
  where = Reshape(row, one_by_one)
  new_rows = Unsqueeze(new_seasonal, first_axis)
  "season.next" = ScatterND(season, where, new_rows)
'''

VITALS_INPUTS = "float[8] x, int64 slot, int64 count, float[8] mean, float[8] variance, float[60, 8] season"


def vitals_score(state, x, slot):
    error = x - state["mean"] - state["season"][slot % 60]
    z = error / np.sqrt(state["variance"] + 1e-4) if state["count"] >= 10 else np.zeros(8)
    return {"z": z, "score": np.max(np.abs(z))}, state


def vitals_step(state, x, slot):
    outputs, _ = vitals_score(state, x, slot)
    decay, row = state["decay"], slot % 60
    weight = max(decay, 1 / (state["count"] + 1))
    error = x - state["mean"] - state["season"][row]
    mean = state["mean"] + weight * error
    season = state["season"].copy()
    season[row] = (1 - decay) * season[row] + decay * (x - mean)
    return outputs, {"count": state["count"] + 1, "mean": mean,
                     "variance": (1 - weight) * (state["variance"] + weight * error**2), "season": season,
                     "decay": decay}


def make_vitals():
    write_package("vitals", VITALS_TEXT, {
        "step": (f'({VITALS_INPUTS}, float decay) => (float[8] z, float score, int64 "count.next", '
                 'float[8] "mean.next", float[8] "variance.next", float[60, 8] "season.next")'
                 f"<{VITALS_CONSTANTS}, int64 one_more = {{1}}, float whole = {{1}}, int64[2] one_by_one = {{1, 1}}, "
                 "int64[1] first_axis = {0}>", VITALS_SCORE + VITALS_LEARN),
        "score": (f"({VITALS_INPUTS}) => (float[8] z, float score)<{VITALS_CONSTANTS}>", VITALS_SCORE),
    })
    rng = np.random.default_rng(1)
    start = {"count": 0, "mean": np.zeros(8), "variance": np.zeros(8), "season": np.zeros((60, 8)),
             "decay": np.float64(np.float32(0.05))}
    inputs = []
    for t in range(60):
        slot = t // 4 % 6 + 57 - 120 * (t % 3)  # Below 0, within 0 to 59, and above; each of six rows comes again.
        x = np.arange(8) + rng.normal(size=8) * [0, 0.01, 0.1, 0.5, 1, 2, 5, 10] + np.sin(slot % 60)
        inputs.append({"x": (x + (t in (40, 41)) * 20).astype(np.float32), "slot": np.int64(slot)})
    write_trajectory("vitals", start, inputs, {"score": vitals_score, "step": vitals_step},
                     {"count": np.int64, "slot": np.int64})


def main():
    make_vitals()


if __name__ == "__main__":
    main()
