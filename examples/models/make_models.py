#!/usr/bin/env python3
"""Writes the example models beside this file, and what numpy computes for them into tests/data/examples.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install -r requirements.txt
    /tmp/venv/bin/python make_models.py

A second run writes the same bytes. Every model is a package: model.textproto, one graph for each method, and the arrays
that its state starts with where they are not zeros. Large weights that graphs share stand once, in weights.bin. Graphs
are written in ONNX's own text format, with a state array `a` as the input `a` and the output `a.next`, or `a.append` for
new rows alone. Beside the graphs stand plain numpy functions, in double precision, that
compute the same from the formulas; tests/e2e/examples_test.cc holds the server to their trajectories:

    tests/data/examples/<model>.safetensors
        <method>/<name> [T, ...]    inputs and outputs of each method, on the state before step t
        <index> [T+1, ...]          each state array before step t, and after the last step
        <index> [T, ...]            a state array that each step appends a row to, after the last step: before step t it
                                    is the first t rows of that

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


def share_weights(model, offsets):
    """Leaves the data of the initializers in `offsets` to weights.bin, where each begins at its offset."""
    for tensor in model.graph.initializer:
        if tensor.name not in offsets:
            continue
        where = {"location": "weights.bin", "offset": offsets[tensor.name], "length": len(tensor.raw_data)}
        for key, value in where.items():
            tensor.external_data.add(key=key, value=str(value))
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.ClearField("raw_data")


def write_package(name, text, graphs, initial=None, weights=None, shared=None):
    """`graphs`: {method: (signature, body)} in ONNX's text format; `weights` become initializers of every graph.

    So do those in `shared`, whose data stands once in the package, in weights.bin.
    """
    weights, shared = weights or {}, shared or {}
    offsets = dict(zip(shared, np.cumsum([0] + [value.nbytes for value in shared.values()]).tolist()))
    folder = HERE / name
    folder.mkdir(exist_ok=True)
    (folder / "model.textproto").write_text(text.lstrip())
    for method, (signature, body) in graphs.items():
        model = onnx.parser.parse_model(f"{HEADER}\n{name}_{method} {signature}\n{{{body}}}")
        for node in model.graph.node:
            node.name = node.output[0]  # ONNX Runtime's fusions make names of names, which must differ.
        used = {value for node in model.graph.node for value in node.input}
        model.graph.initializer.extend(onnx.numpy_helper.from_array(value, key)
                                       for key, value in (weights | shared).items() if key in used)
        onnx.checker.check_model(model, full_check=True)
        share_weights(model, offsets)
        (folder / f"{method}.onnx").write_bytes(model.SerializeToString(deterministic=True))
    if shared:
        (folder / "weights.bin").write_bytes(b"".join(value.tobytes() for value in shared.values()))
    if initial:
        (folder / "initial.safetensors").write_bytes(save(initial))


def as_float64(values):
    """The values as float32 has them, in double precision: what the server is given and what numpy computes with."""
    return values.astype(np.float32).astype(np.float64)


def write_trajectory(name, state, inputs, methods, dtypes=None, growing=()):
    """Steps `methods["step"]` from `state`, {index: value}, over `inputs`: for each step {method: {input: value}}.

    A method takes the state and its inputs by name, and returns its outputs and the state after it. Those named in
    `dtypes` are written with that dtype, everything else as float32. To the indices in `growing`, step appends a row.
    """
    rows = {}

    def note(key, value):
        dtype = (dtypes or {}).get(key.rpartition("/")[2], np.float32)
        rows.setdefault(key, []).append(np.asarray(value, dtype))

    for given in inputs:
        for index, value in state.items():
            if index not in growing:
                note(index, value)
        before = state
        for method, function in methods.items():
            outputs, after = function(before, **given[method])
            for key, value in (given[method] | outputs).items():
                note(f"{method}/{key}", value)
            state = after if method == "step" else state
    for index, value in state.items():
        if index in growing:
            rows[index] = np.asarray(value, np.float32)
        else:
            note(index, value)
    TRAJECTORIES.mkdir(parents=True, exist_ok=True)
    content = save({key: np.stack(values) for key, values in rows.items()})
    (TRAJECTORIES / f"{name}.safetensors").write_bytes(content)


# --- vitals: online anomaly scores ---------------------------------------------------------------------------------
#
# The additive seasonal model of exponential smoothing, ETS(A,N,A), in its error-correction form: the mean is its level,
# the season its seasonal component (R. J. Hyndman and G. Athanasopoulos, Forecasting: Principles and Practice, 3rd
# edition, section 8.5, https://otexts.com/fpp3/ets.html; gamma = decay (1 - alpha), section 8.3). Its errors' variance
# is weighted exponentially as well (T. Finch, Incremental calculation of weighted mean and variance, 2009). While the
# weight is 1 / n, both are the plain mean and population variance of Welford's method.

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
# weighted mean and variance, 2009. The first observations, while 1 / (count + 1) is the larger weight, are averaged as
# in B. P. Welford, Note on a method for calculating corrected sums of squares and products, 1962.
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
        given = {"x": as_float64(x + (t in (40, 41)) * 20), "slot": slot}
        inputs.append({"score": given, "step": given})
    write_trajectory("vitals", start, inputs, {"score": vitals_score, "step": vitals_step},
                     {"count": np.int64, "slot": np.int64})


# --- counter: the smallest model with a state ----------------------------------------------------------------------

COUNTER_TEXT = '''
# Adds x to a count and answers the sum:  y = count' = count + x, wrapping around as int32 does.
description: "A running sum"

state { index: "count" dtype: INT32 }

method { name: "step" }
'''


def counter_step(state, x):
    count = state["count"] + x
    return {"y": count}, {"count": count}


def make_counter():
    write_package("counter", COUNTER_TEXT, {
        "step": ('(int32 x, int32 count) => (int32 y, int32 "count.next")', '''
  "count.next" = Add(count, x)
  y = Identity("count.next")
'''),
    })
    inputs = [{"step": {"x": x}} for x in np.random.default_rng(2).integers(-100, 100, 50)]
    write_trajectory("counter", {"count": 0}, inputs, {"step": counter_step},
                     dict.fromkeys(("count", "x", "y"), np.int32))


# --- batchnorm: training and inference over one state --------------------------------------------------------------

BATCHNORM_TEXT = '''
# Batch normalisation as equinox.nn.BatchNorm(4, "batch", mode="ema") does it
# (https://docs.kidger.site/equinox/api/nn/normalisation/), for a batch of any size.
#
#   mean, var     = of the batch, over its first axis; the variance is the population's
#   running_mean' = mean where first_time, else 0.99 * running_mean + 0.01 * mean
#   running_var'  = var where first_time, else 0.99 * running_var + 0.01 * var
#   first_time'   = false
#   y             = (x - running_mean') / sqrt(running_var' + 1e-5) * weight + bias
#
# `step` trains: it normalises by the updated statistics. `infer` reads the statistics as they are and writes none.
# The layer is that of S. Ioffe and C. Szegedy, Batch Normalization, 2015 (https://arxiv.org/abs/1502.03167).
description: "Batch normalisation of 4 channels: step trains, infer only reads the running statistics"

state { index: "norm.first_time" dtype: BOOL constant { value: 1 } }
state { index: "norm.running_mean" dtype: FLOAT32 shape: [4] }
state { index: "norm.running_var" dtype: FLOAT32 shape: [4] }

method { name: "step" }
method { name: "infer" }
'''

BATCHNORM_WEIGHTS = {"weight": np.array([1, 1.5, 2, 0.5], np.float32),
                     "bias": np.array([0, 0.25, -1, 1], np.float32), "epsilon": np.float32(1e-5),
                     "kept": np.float32(0.99), "added": np.float32(0.01), "rows": np.array([0], np.int64),
                     "no": np.array(False)}

# Of the values `new_mean` and `new_var`.
BATCHNORM_APPLY = '''
  centred = Sub(x, new_mean)
  guarded = Add(new_var, epsilon)
  deviation = Sqrt(guarded)
  normal = Div(centred, deviation)
  scaled = Mul(normal, weight)
  y = Add(scaled, bias)
'''

BATCHNORM_STEP = '''
  mean = ReduceMean<keepdims = 0>(x, rows)
  offset = Sub(x, mean)
  square = Mul(offset, offset)
  var = ReduceMean<keepdims = 0>(square, rows)
  kept_mean = Mul(kept, "norm.running_mean")
  added_mean = Mul(added, mean)
  moved_mean = Add(kept_mean, added_mean)
  new_mean = Where("norm.first_time", mean, moved_mean)
  kept_var = Mul(kept, "norm.running_var")
  added_var = Mul(added, var)
  moved_var = Add(kept_var, added_var)
  new_var = Where("norm.first_time", var, moved_var)
  "norm.running_mean.next" = Identity(new_mean)
  "norm.running_var.next" = Identity(new_var)
  "norm.first_time.next" = Identity(no)
'''

BATCHNORM_INFER = '''
  new_mean = Identity("norm.running_mean")
  new_var = Identity("norm.running_var")
'''


def batchnorm_infer(state, x):
    normal = (x - state["norm.running_mean"]) / np.sqrt(state["norm.running_var"] + 1e-5)
    return {"y": normal * BATCHNORM_WEIGHTS["weight"] + BATCHNORM_WEIGHTS["bias"]}, state


def batchnorm_step(state, x):
    mean, var = x.mean(axis=0), x.var(axis=0)
    if not state["norm.first_time"]:
        mean = 0.99 * state["norm.running_mean"] + 0.01 * mean
        var = 0.99 * state["norm.running_var"] + 0.01 * var
    after = {"norm.first_time": False, "norm.running_mean": mean, "norm.running_var": var}
    return batchnorm_infer(after, x)[0], after


def make_batchnorm():
    state = 'float[4] "norm.running_mean", float[4] "norm.running_var"'
    written = 'bool "norm.first_time.next", float[4] "norm.running_mean.next", float[4] "norm.running_var.next"'
    write_package("batchnorm", BATCHNORM_TEXT, {
        "step": (f'(float[batch, 4] x, bool "norm.first_time", {state}) => (float[batch, 4] y, {written})',
                 BATCHNORM_STEP + BATCHNORM_APPLY),
        "infer": (f"(float[batch, 4] x, {state}) => (float[batch, 4] y)", BATCHNORM_INFER + BATCHNORM_APPLY),
    }, weights=BATCHNORM_WEIGHTS)
    rng = np.random.default_rng(3)
    start = {"norm.first_time": True, "norm.running_mean": np.zeros(4), "norm.running_var": np.zeros(4)}
    inputs = [dict.fromkeys(("infer", "step"), {"x": as_float64(rng.normal(size=(6, 4)) * [1, 2, 3, 4] + 0.1 * t)})
              for t in range(50)]
    write_trajectory("batchnorm", start, inputs, {"infer": batchnorm_infer, "step": batchnorm_step},
                     {"norm.first_time": np.bool_})


# --- gru: a recurrent cell -----------------------------------------------------------------------------------------

GRU_TEXT = '''
# A gated recurrent unit with 32 inputs and 64 hidden units; its weights are random.
#
#   r         = sigmoid(W_r x + b_r + U_r hidden)
#   u         = sigmoid(W_u x + b_u + U_u hidden)
#   candidate = tanh(W_c x + b_c + r * (U_c hidden + d))
#   y         = hidden' = candidate + u * (hidden - candidate)
#
# Source: K. Cho et al., Learning Phrase Representations using RNN Encoder-Decoder, 2014
# (https://arxiv.org/abs/1406.1078), with the reset gate applied after the product with U_c, as equinox.nn.GRUCell and
# torch.nn.GRUCell do.
description: "A GRU cell: 32 inputs, 64 hidden units, random weights"

state { index: "hidden" dtype: FLOAT32 shape: [64] }

method { name: "step" }
'''


def gru_weights():
    rng = np.random.default_rng(4)
    shapes = {"input_weights": (32, 192), "hidden_weights": (64, 192), "bias": (192,), "candidate_bias": (64,)}
    return {name: (rng.random(shape) * 0.25 - 0.125).astype(np.float32) for name, shape in shapes.items()}


GRU_STEP = '''
  products = MatMul(x, input_weights)
  from_input = Add(products, bias)
  from_hidden = MatMul(hidden, hidden_weights)
  x_r, x_u, x_c = Split<num_outputs = 3, axis = -1>(from_input)
  h_r, h_u, h_c = Split<num_outputs = 3, axis = -1>(from_hidden)
  sum_r = Add(x_r, h_r)
  r = Sigmoid(sum_r)
  sum_u = Add(x_u, h_u)
  u = Sigmoid(sum_u)
  shifted_c = Add(h_c, candidate_bias)
  reset_c = Mul(r, shifted_c)
  sum_c = Add(x_c, reset_c)
  candidate = Tanh(sum_c)
  change = Sub(hidden, candidate)
  kept = Mul(u, change)
  "hidden.next" = Add(candidate, kept)
  y = Identity("hidden.next")
'''

GRU_BATCH_TEXT = GRU_TEXT.replace('''

state {''', '''

# Steps on up to 64 states that wait at the same time are computed at once: see the batch axis of step.onnx.
batching { max_batch_size: 64 }

state {''').replace("random weights\"", "random weights; steps of many states run at once\"")


def make_gru():
    weights = gru_weights()

    def step(state, x):
        hidden = state["hidden"]
        x_r, x_u, x_c = np.split(x @ weights["input_weights"].astype(np.float64) + weights["bias"], 3)
        h_r, h_u, h_c = np.split(hidden @ weights["hidden_weights"].astype(np.float64), 3)
        r, u = 1 / (1 + np.exp(-x_r - h_r)), 1 / (1 + np.exp(-x_u - h_u))
        candidate = np.tanh(x_c + r * (h_c + weights["candidate_bias"]))
        hidden = candidate + u * (hidden - candidate)
        return {"y": hidden}, {"hidden": hidden}

    write_package("gru", GRU_TEXT, {
        "step": ('(float[32] x, float[64] hidden) => (float[64] y, float[64] "hidden.next")', GRU_STEP),
    }, weights=weights)
    write_package("gru_batch", GRU_BATCH_TEXT, {
        "step": ('(float[batch, 32] x, float[batch, 64] hidden) => '
                 '(float[batch, 64] y, float[batch, 64] "hidden.next")', GRU_STEP),
    }, weights=weights)
    rng = np.random.default_rng(5)
    inputs = [{"step": {"x": as_float64(rng.normal(size=32))}} for _ in range(50)]
    for name in ("gru", "gru_batch"):
        write_trajectory(name, {"hidden": np.zeros(64)}, inputs, {"step": step})


# --- kalman: tracks in the plane -----------------------------------------------------------------------------------

KALMAN_TEXT = '''
# A Kalman filter for each of any number of tracks: position and velocity in the plane, at constant velocity but for
# white noise in the acceleration. A step is 0.1 s; metres and seconds.
#
#   mean = (p_x, p_y, v_x, v_y); I and 0 are 2 x 2, F = [I, dt I; 0, I], H = [I, 0], R = 0.25 I,
#   Q = q [dt^3/3 I, dt^2/2 I; dt^2/2 I, dt I] with q = 0.5, dt = 0.1
#
#   predicted:  m = F mean                P = F covariance F^T + Q
#   corrected:  S = H P H^T + R           K = P H^T S^-1
#               mean' = m + K (measurement - H m)
#               covariance' = (I - K H) P (I - K H)^T + K R K^T        (Joseph's form: it stays symmetric)
#
# A track whose measurement has a NaN was not seen: it is predicted and not corrected. The state starts with 16 tracks
# of which nothing is known; MakeState may be given `mean` and `covariance` of any number of tracks instead.
#
# Source: Y. Bar-Shalom, X. R. Li and T. Kirubarajan, Estimation with Applications to Tracking and Navigation, 2001,
# sections 5.2 (the filter, Joseph's form) and 6.2.2 (F and Q).
description: "Kalman filters of tracks in the plane: step takes measured positions, predict looks ahead"

state { index: "mean" dtype: FLOAT32 shape: [-1, 4] file { path: "initial.safetensors" } }
state { index: "covariance" dtype: FLOAT32 shape: [-1, 4, 4] file { path: "initial.safetensors" } }

# measurement (tracks, 2) -> filtered (tracks, 2): the positions in mean'.
method { name: "step" }
# seconds () -> position (tracks, 2) and spread (tracks, 2, 2): where measurements will be, and their covariance.
method { name: "predict" }
'''

KALMAN_DT, KALMAN_Q, KALMAN_R = 0.1, 0.5, 0.25


def kalman_motion(dt):
    plane = np.eye(2)
    return (np.block([[plane, dt * plane], [0 * plane, plane]]),
            KALMAN_Q * np.block([[dt**3 / 3 * plane, dt**2 / 2 * plane], [dt**2 / 2 * plane, dt * plane]]))


KALMAN_WEIGHTS = {
    "motion": kalman_motion(KALMAN_DT)[0].astype(np.float32),
    "motion_transposed": kalman_motion(KALMAN_DT)[0].T.astype(np.float32),
    "motion_noise": kalman_motion(KALMAN_DT)[1].astype(np.float32),
    "measured": np.eye(2, 4, dtype=np.float32),
    "measured_transposed": np.eye(4, 2, dtype=np.float32),
    "measurement_noise": (KALMAN_R * np.eye(2)).astype(np.float32),
    "plane": np.eye(2, dtype=np.float32), "space": np.eye(4, dtype=np.float32), "nothing": np.float32(0),
    "last": np.array([-1], np.int64), "last_two": np.array([-2, -1], np.int64),
    "from_position": np.array([0], np.int64), "from_velocity": np.array([2], np.int64),
    "to_end": np.array([4], np.int64), "rows": np.array([1], np.int64),
    "cubic": np.float32(KALMAN_Q / 3),
}

# The inverse of the 2 x 2 matrix S is (trace(S) I - S) / det(S).
KALMAN_STEP = '''
  predicted_mean = MatMul(mean, motion_transposed)
  half_moved = MatMul(motion, covariance)
  moved = MatMul(half_moved, motion_transposed)
  predicted = Add(moved, motion_noise)
  to_measured = MatMul(predicted, measured_transposed)
  seen_covariance = MatMul(measured, to_measured)
  innovation_covariance = Add(seen_covariance, measurement_noise)
  diagonal = Mul(innovation_covariance, plane)
  trace = ReduceSum(diagonal, last_two)
  trace_plane = Mul(trace, plane)
  adjugate = Sub(trace_plane, innovation_covariance)
  determinant = Det(innovation_covariance)
  determinants = Unsqueeze(determinant, last_two)
  inverse = Div(adjugate, determinants)
  full_gain = MatMul(to_measured, inverse)

  lacks = IsNaN(measurement)
  lacks_float = Cast<to = 1>(lacks)
  lacking = ReduceMax(lacks_float, last)
  is_unseen = Cast<to = 9>(lacking)
  is_unseen_gain = Unsqueeze(is_unseen, last)
  gain = Where(is_unseen_gain, nothing, full_gain)

  expected = MatMul(predicted_mean, measured_transposed)
  difference = Sub(measurement, expected)
  innovation = Where(is_unseen, nothing, difference)
  innovation_column = Unsqueeze(innovation, last)
  correction_column = MatMul(gain, innovation_column)
  correction = Squeeze(correction_column, last)
  "mean.next" = Add(predicted_mean, correction)
  filtered = MatMul("mean.next", measured_transposed)

  gain_measured = MatMul(gain, measured)
  remaining = Sub(space, gain_measured)
  remaining_transposed = Transpose<perm = [0, 2, 1]>(remaining)
  half_reduced = MatMul(remaining, predicted)
  reduced = MatMul(half_reduced, remaining_transposed)
  gain_transposed = Transpose<perm = [0, 2, 1]>(gain)
  noisy_gain = MatMul(gain, measurement_noise)
  added = MatMul(noisy_gain, gain_transposed)
  "covariance.next" = Add(reduced, added)
'''

# With the blocks of the covariance [A, B; B^T, C]: A + dt (B + B^T) + dt^2 C + q dt^3/3 I + R.
KALMAN_PREDICT = '''
  at = Slice(mean, from_position, from_velocity, last)
  velocity = Slice(mean, from_velocity, to_end, last)
  way = Mul(velocity, seconds)
  position = Add(at, way)

  upper = Slice(covariance, from_position, from_velocity, rows)
  lower = Slice(covariance, from_velocity, to_end, rows)
  a = Slice(upper, from_position, from_velocity, last)
  b = Slice(upper, from_velocity, to_end, last)
  b_transposed = Slice(lower, from_position, from_velocity, last)
  c = Slice(lower, from_velocity, to_end, last)
  both = Add(b, b_transposed)
  linear = Mul(both, seconds)
  square_seconds = Mul(seconds, seconds)
  quadratic = Mul(c, square_seconds)
  cubic_seconds = Mul(square_seconds, seconds)
  cubic_noise = Mul(cubic_seconds, cubic)
  motion_spread = Mul(cubic_noise, plane)
  sum_1 = Add(a, linear)
  sum_2 = Add(sum_1, quadratic)
  sum_3 = Add(sum_2, motion_spread)
  spread = Add(sum_3, measurement_noise)
'''


def kalman_step(state, measurement):
    motion, noise = kalman_motion(KALMAN_DT)
    means, covariances = [], []
    for mean, covariance, measured in zip(state["mean"], state["covariance"], measurement):
        mean, covariance = motion @ mean, motion @ covariance @ motion.T + noise
        if not np.isnan(measured).any():
            gain = covariance[:, :2] @ np.linalg.inv(covariance[:2, :2] + KALMAN_R * np.eye(2))
            mean = mean + gain @ (measured - mean[:2])
            covariance = covariance - gain @ covariance[:2]
        means.append(mean)
        covariances.append(covariance)
    means = np.stack(means)
    return {"filtered": means[:, :2]}, {"mean": means, "covariance": np.stack(covariances)}


def kalman_predict(state, seconds):
    motion, noise = kalman_motion(float(seconds))
    ahead = motion @ state["covariance"] @ motion.T + noise
    return {"position": (state["mean"] @ motion.T)[:, :2],
            "spread": ahead[:, :2, :2] + KALMAN_R * np.eye(2)}, state


def make_kalman():
    state = "float[tracks, 4] mean, float[tracks, 4, 4] covariance"
    start = {"mean": np.zeros((16, 4)), "covariance": np.tile(np.diag([100.0, 100.0, 25.0, 25.0]), (16, 1, 1))}
    write_package("kalman", KALMAN_TEXT, {
        "step": (f'(float[tracks, 2] measurement, {state}) => (float[tracks, 2] filtered, '
                 'float[tracks, 4] "mean.next", float[tracks, 4, 4] "covariance.next")', KALMAN_STEP),
        "predict": (f"(float seconds, {state}) => (float[tracks, 2] position, float[tracks, 2, 2] spread)",
                    KALMAN_PREDICT),
    }, weights=KALMAN_WEIGHTS, initial={key: value.astype(np.float32) for key, value in start.items()})
    rng = np.random.default_rng(6)
    velocity = rng.normal(size=(16, 2)) * 5
    inputs = []
    for t in range(50):
        measurement = velocity * KALMAN_DT * t + rng.normal(size=(16, 2)) * 0.5
        measurement[rng.random(16) < 0.1, 1] = np.nan
        inputs.append({"step": {"measurement": as_float64(measurement)}, "predict": {"seconds": 0.25 * (t % 5)}})
    write_trajectory("kalman", start, inputs, {"predict": kalman_predict, "step": kalman_step})


# --- attention_decoder: a key/value cache that grows ---------------------------------------------------------------

DECODER_TOKEN, DECODER_HEADS, DECODER_WIDTH = 64, 8, 128
DECODER_ROW = DECODER_HEADS * DECODER_WIDTH

DECODER_TEXT = '''
# One causal attention layer of a decoder: token vectors of 64, 8 heads of 128, random weights. The keys and values of all
# tokens so far are its state, a key/value cache that each step appends to: 8 KiB a token, as a layer of a large model has
# it, while the weights are those of a small one. For a token x and head h, over the tokens j = 0, ..., i so far, of which x
# is the last:
#
#   q, k_i, v_i = x W_q, x W_k, x W_v, of which head h has its 128 elements
#   weight_j    = softmax over j of (q . k_j / sqrt(128) - slope_h (i - j))
#   y           = x + W_o (for all heads, one behind the other, the sum over j of weight_j v_j)
#
# `step` takes one token, `prompt` any number of them in one run, each of which sees those in front of it.
#
# Sources: A. Vaswani et al., Attention Is All You Need, 2017 (https://arxiv.org/abs/1706.03762); that a token attends less
# to older ones, by a slope of its own for each head, is O. Press et al., Train Short, Test Long: Attention with Linear
# Biases, 2021 (https://arxiv.org/abs/2108.12409).
description: "A causal attention layer whose key/value cache grows: token vectors of 64, 8 heads of 128, random weights"

# The keys and values of the tokens so far. The graphs give only the new rows, as k.append and v.append.
state { index: "k" dtype: FLOAT32 shape: [-1, 8, 128] }
state { index: "v" dtype: FLOAT32 shape: [-1, 8, 128] }

method { name: "step" }
method { name: "prompt" }
'''

# Of `tokens` [n, 64], to `mixed` [n, 64]; m tokens are in the cache.
DECODER_ATTEND = '''
  query_flat = MatMul(tokens, query_weights)
  query = Reshape(query_flat, as_heads)
  key_flat = MatMul(tokens, key_weights)
  "k.append" = Reshape(key_flat, as_heads)
  value_flat = MatMul(tokens, value_weights)
  "v.append" = Reshape(value_flat, as_heads)
  all_keys = Concat<axis = 0>(k, "k.append")
  all_values = Concat<axis = 0>(v, "v.append")

  queries_of_head = Transpose<perm = [1, 0, 2]>(query)
  keys_of_head = Transpose<perm = [1, 2, 0]>(all_keys)
  values_of_head = Transpose<perm = [1, 0, 2]>(all_values)
  products = MatMul(queries_of_head, keys_of_head)
  scaled = Mul(products, scale)

  before_shape = Shape<start = 0, end = 1>(k)
  before = Squeeze(before_shape, first)
  all_shape = Shape<start = 0, end = 1>(all_keys)
  end = Squeeze(all_shape, first)
  times = Range(nought, end, one_more)
  now = Range(before, end, one_more)
  now_column = Unsqueeze(now, last)
  age = Sub(now_column, times)
  float_age = Cast<to = 1>(age)
  fading = Mul(slopes, float_age)
  faded = Sub(scaled, fading)
  is_ahead = Less(age, nought)
  scores = Where(is_ahead, never, faded)
  weights = Softmax<axis = -1>(scores)

  seen_of_head = MatMul(weights, values_of_head)
  seen = Transpose<perm = [1, 0, 2]>(seen_of_head)
  seen_flat = Reshape(seen, as_rows)
  mixed = MatMul(seen_flat, output_weights)
'''


def decoder_matrices():
    rng = np.random.default_rng(7)
    shapes = {name: (DECODER_TOKEN, DECODER_ROW) for name in ("query", "key", "value")}
    return {f"{name}_weights": (rng.normal(size=shape) / np.sqrt(shape[0])).astype(np.float32)
            for name, shape in (shapes | {"output": (DECODER_ROW, DECODER_TOKEN)}).items()}


def decoder_constants():
    slopes = (0.5 ** np.arange(1, DECODER_HEADS + 1)).astype(np.float32).reshape(DECODER_HEADS, 1, 1)
    return {"slopes": slopes, "scale": np.float32(1 / np.sqrt(DECODER_WIDTH)), "never": np.float32(-np.inf),
            "nought": np.int64(0), "one_more": np.int64(1), "first": np.array([0]), "last": np.array([1]),
            "as_heads": np.array([-1, DECODER_HEADS, DECODER_WIDTH]), "as_rows": np.array([-1, DECODER_ROW])}


def make_attention_decoder():
    matrices, constants = decoder_matrices(), decoder_constants()
    cache = "float[m, 8, 128] k, float[m, 8, 128] v"
    rows = 'float[{0}, 8, 128] "k.append", float[{0}, 8, 128] "v.append"'

    def prompt(state, x):
        k, v = state["k"], state["v"]
        y = []
        for token in x:
            q, new_k, new_v = ((token @ matrices[f"{name}_weights"].astype(np.float64)).reshape(8, 128)
                               for name in ("query", "key", "value"))
            k, v = np.concatenate([k, [new_k]]), np.concatenate([v, [new_v]])
            age = np.arange(len(k))[::-1]
            heads = []
            for head, slope in enumerate(constants["slopes"].ravel()):
                score = k[:, head] @ q[head] / np.sqrt(DECODER_WIDTH) - slope * age
                weight = np.exp(score - score.max())
                heads.append(weight / weight.sum() @ v[:, head])
            y.append(token + np.concatenate(heads) @ matrices["output_weights"].astype(np.float64))
        return {"y": np.stack(y)}, {"k": k, "v": v}

    def step(state, x):
        outputs, after = prompt(state, x[np.newaxis])
        return {"y": outputs["y"][0]}, after

    write_package("attention_decoder", DECODER_TEXT, {
        "step": (f"(float[64] x, {cache}) => (float[64] y, {rows.format(1)})",
                 "  tokens = Unsqueeze(x, first)" + DECODER_ATTEND
                 + "  mixed_token = Squeeze(mixed, first)\n  y = Add(x, mixed_token)\n"),
        "prompt": (f"(float[n, 64] x, {cache}) => (float[n, 64] y, {rows.format('n')})",
                   "  tokens = Identity(x)" + DECODER_ATTEND + "  y = Add(x, mixed)\n"),
    }, weights=constants, shared=matrices)
    rng = np.random.default_rng(8)
    empty = np.zeros((0, DECODER_HEADS, DECODER_WIDTH))
    inputs = [{"step": {"x": as_float64(rng.normal(size=DECODER_TOKEN))},
               "prompt": {"x": as_float64(rng.normal(size=(2, DECODER_TOKEN)))}} for _ in range(50)]
    write_trajectory("attention_decoder", {"k": empty, "v": empty}, inputs, {"step": step, "prompt": prompt},
                     growing=("k", "v"))


def main():
    for make in (make_vitals, make_counter, make_batchnorm, make_gru, make_kalman, make_attention_decoder):
        make()


if __name__ == "__main__":
    main()
