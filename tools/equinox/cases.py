"""The stateful Equinox models that make_cases.py makes cases of."""
import dataclasses
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from equinox.nn import BatchNorm, StateIndex


@dataclasses.dataclass
class Case:
    name: str
    model: eqx.Module
    state: eqx.nn.State
    xs: np.ndarray  # The inputs of all steps, stacked.
    step: Callable = lambda model, x, state: model(x, state)
    infers: bool = False  # Whether it has an inference mode that leaves its state alone.


def step_batch(model, x, state):
    """One step of a batch: statistics are taken over it, so that one state comes out."""
    return jax.vmap(model, axis_name="batch", in_axes=(0, None), out_axes=(0, None))(x, state)


def step_ensemble(models, x, states):
    """Every model of a stack takes the same x, each with its own state."""
    over_models = (eqx.if_array(0), None, eqx.if_array(0))
    return eqx.filter_vmap(lambda model, x, state: model(x, state), in_axes=over_models)(models, x, states)


class Counter(eqx.Module):
    count: StateIndex

    def __init__(self):
        self.count = StateIndex(jnp.int32(0))

    def __call__(self, x, state):
        count = state.get(self.count) + x
        return count, state.set(self.count, count)


class RunningNorm(eqx.Module):
    """Normalises a batch by exponentially weighted statistics, each under an index of its own."""
    running_mean: StateIndex
    running_var: StateIndex
    weight: jax.Array
    bias: jax.Array
    inference: bool

    def __init__(self, size, key):
        self.inference = False
        self.running_mean, self.running_var = StateIndex(jnp.zeros(size)), StateIndex(jnp.ones(size))
        self.weight, self.bias = 1 + jax.random.uniform(key, (2, size))

    def __call__(self, x, state):
        mean, var = state.get(self.running_mean), state.get(self.running_var)
        if not self.inference:
            mean, var = 0.9 * mean + 0.1 * x.mean(0), 0.9 * var + 0.1 * x.var(0)
            state = state.set(self.running_mean, mean).set(self.running_var, var)
        return (x - mean) / jnp.sqrt(var + 1e-5) * self.weight + self.bias, state


class Mlp(eqx.Module):
    """The norm is layers[1]: an index name with a subscript."""
    layers: list

    def __init__(self, size, key):
        first, last = jax.random.split(key)
        self.layers = [eqx.nn.Linear(size, 2 * size, key=first), BatchNorm(2 * size, "batch", mode="batch"),
                       eqx.nn.Linear(2 * size, size, key=last)]

    def __call__(self, x, state):
        x, state = self.layers[1](self.layers[0](x), state)
        return self.layers[2](jax.nn.relu(x)), state


class ConvBlock(eqx.Module):
    conv: eqx.nn.Conv2d
    norm: BatchNorm

    def __init__(self, channels_in, channels_out, key):
        self.conv = eqx.nn.Conv2d(channels_in, channels_out, kernel_size=3, padding=1, key=key)
        self.norm = BatchNorm(channels_out, "batch", mode="batch")


class ConvNet(eqx.Module):
    """Two blocks over small pictures: index names such as blocks[0].norm.batch_counter."""
    blocks: list
    head: eqx.nn.Linear

    def __init__(self, size, key):
        keys = jax.random.split(key, 3)
        self.blocks = [ConvBlock(1, size, keys[0]), ConvBlock(size, size, keys[1])]
        self.head = eqx.nn.Linear(size, 3, key=keys[2])

    def __call__(self, x, state):
        for block in self.blocks:
            x, state = block.norm(block.conv(x), state)
            x = jax.nn.relu(x)
        return self.head(x.mean((1, 2))), state


class Recurrent(eqx.Module):
    cell: eqx.nn.GRUCell
    hidden: StateIndex

    def __init__(self, size, key):
        self.cell = eqx.nn.GRUCell(size, 2 * size, key=key)
        self.hidden = StateIndex(jnp.zeros(2 * size))

    def __call__(self, x, state):
        hidden = self.cell(x, state.get(self.hidden))
        return hidden, state.set(self.hidden, hidden)


class Spectral(eqx.Module):
    layers: list

    def __init__(self, size, key):
        linear_key, norm_key = jax.random.split(key)
        linear = eqx.nn.Linear(size, 2 * size, key=linear_key)
        self.layers = [eqx.nn.SpectralNorm(linear, "weight", key=norm_key)]

    def __call__(self, x, state):
        return self.layers[0](x, state)


class CachedAttention(eqx.Module):
    """Attends from each token to those before it: keys and values of `length` tokens, and how many there are."""
    projections: eqx.nn.Linear
    cache: StateIndex
    position: StateIndex

    def __init__(self, size, length, key):
        self.projections = eqx.nn.Linear(size, 3 * size, use_bias=False, key=key)
        self.cache = StateIndex((jnp.zeros((length, size)), jnp.zeros((length, size))))
        self.position = StateIndex(jnp.int32(0))

    def __call__(self, x, state):
        query, key, value = jnp.split(self.projections(x), 3)
        position, slots = state.get(self.position), jnp.arange(len(state.get(self.cache)[0]))
        is_here = (slots == position)[:, None]
        keys, values = (jnp.where(is_here, new, old) for new, old in zip((key, value), state.get(self.cache)))
        logits = jnp.where(slots <= position, keys @ query / jnp.sqrt(jnp.float32(len(query))), -1e9)
        state = state.set(self.cache, (keys, values)).set(self.position, position + 1)
        return jax.nn.softmax(logits) @ values, state


class KeyedDropout(eqx.Module):
    """The random key is state: every step splits it."""
    key: StateIndex

    def __init__(self, key):
        self.key = StateIndex(key)

    def __call__(self, x, state):
        key, dropout_key = jax.random.split(state.get(self.key))
        return eqx.nn.Dropout(0.5)(x, key=dropout_key), state.set(self.key, key)


def all_cases(seed, scale, steps):
    size, batch = 4 * scale, 8 * scale
    rng = np.random.default_rng(seed)
    keys = iter(jax.random.split(jax.random.PRNGKey(seed), 8))
    make = eqx.nn.make_with_state

    def signals(*shape):
        """Noise around a level of each element's own, and with its own spread and drift."""
        level, spread, drift = rng.normal(size=shape), rng.uniform(0.5, 2, shape), rng.normal(size=shape) * 0.05
        time = np.arange(steps).reshape(steps, *(1 for _ in shape))
        return (level + drift * time + spread * rng.normal(size=(steps, *shape))).astype(np.float32)

    yield Case("counter", *make(Counter)(), rng.integers(-9, 10, steps, dtype=np.int32))
    yield Case("running_norm", *make(RunningNorm)(size, next(keys)), signals(batch, size), infers=True)
    for mode in ("ema", "batch"):
        yield Case(f"batchnorm_{mode}", *make(BatchNorm)(size, "batch", mode=mode), signals(batch, size), step_batch,
                   infers=True)
    yield Case("mlp_batchnorm", *make(Mlp)(size, next(keys)), signals(batch, size), step_batch, infers=True)
    yield Case("conv_batchnorm", *make(ConvNet)(size, next(keys)), signals(batch, 1, 6, 6), step_batch, infers=True)
    yield Case("gru_cell", *make(Recurrent)(size, next(keys)), signals(size))
    yield Case("spectral_norm", *make(Spectral)(size, next(keys)), signals(size), infers=True)
    yield Case("cached_attention", *make(CachedAttention)(size, steps + 4, next(keys)), signals(size))
    ensemble = eqx.filter_vmap(lambda key: make(Recurrent)(size, key))(jax.random.split(next(keys), 3))
    yield Case("ensemble", *ensemble, signals(size), step_ensemble)
    yield Case("prng_dropout", *make(KeyedDropout)(next(keys)), signals(size))
