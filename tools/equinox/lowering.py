"""Rewrites a JAX function into operations that jax2onnx 0.17 exports and ONNX Runtime computes exactly as JAX does."""
import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Literal

# Of the Threefry-2x32 cipher with 20 rounds: J. Salmon et al., Parallel random numbers: as easy as 1, 2, 3, 2011.
ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
KEY_PARITY = np.uint32(0x1BD11BDA)


def add(a, b):
    """a + b modulo 2^32. ONNX Runtime adds no uint32; int32 wraps to the same bits."""
    return (a.astype(jnp.int32) + b.astype(jnp.int32)).astype(jnp.uint32)


def threefry(key, high, low):
    """Encrypts the counters (high, low), uint32 arrays of one shape, with `key`, uint32[2]."""
    keys = (key[0], key[1], key[0] ^ key[1] ^ KEY_PARITY)
    high, low = add(high, keys[0]), add(low, keys[1])
    for group in range(1, 6):
        for bits in ROTATIONS[(group - 1) % 2]:
            high = add(high, low)
            low = (low << bits | low >> (32 - bits)) ^ high
        high = add(high, keys[group % 3])
        low = add(add(low, keys[(group + 1) % 3]), jnp.uint32(group))
    return high, low


def encrypt_positions(key, shape):
    """The two words for each position of an array of `shape`, as JAX's partitionable random numbers count them."""
    positions = np.arange(np.prod(shape, dtype=np.int64), dtype=np.uint32).reshape(shape)
    return threefry(key, jnp.zeros(shape, jnp.uint32), jnp.asarray(positions))


def split_key(key, *, shape):
    return jnp.stack(encrypt_positions(key, shape), axis=-1)


def random_bits(key, *, bit_width, shape):
    if bit_width != 32:
        raise NotImplementedError(f"random bits of width {bit_width}; expected 32")
    high, low = encrypt_positions(key, shape)
    return high ^ low


def bitcast(x, *, new_dtype):
    """The bits of positive, normal float32 numbers as these numbers: what random floats are made of."""
    if (x.dtype, new_dtype) != (jnp.uint32, jnp.float32):
        raise NotImplementedError(f"bitcast of {x.dtype} to {new_dtype}; expected of uint32 to float32")
    fraction = (x & 0x7FFFFF).astype(jnp.int32).astype(jnp.float32) * np.float32(2**-23)
    exponent = (x >> 23).astype(jnp.int32).astype(jnp.float32) - 127
    return (1 + fraction) * jnp.exp2(exponent)


def sum_over_batch(*values, axes, **_):
    """A collective over vmapped axes: by the time that it stands in the jaxpr, these are axes like all others."""
    return [jnp.sum(value, axis=axes) if axes else value for value in values]


# {primitive: what computes its result, or its list of results, from its values and parameters}
REPLACEMENTS = {
    "psum": sum_over_batch,
    "random_wrap": lambda key, **_: key,
    "random_unwrap": lambda key: key,
    "random_split": split_key,
    "random_bits": random_bits,
    "bitcast_convert_type": bitcast,
}
CALLS = ("jit", "closed_call", "custom_jvp_call", "custom_vjp_call")


def run(jaxpr, constants, values):
    known = dict(zip(jaxpr.constvars, constants)) | dict(zip(jaxpr.invars, values))

    def value_of(variable):
        return variable.val if isinstance(variable, Literal) else known[variable]

    for equation in jaxpr.eqns:
        name, parameters = equation.primitive.name, equation.params
        values = [value_of(variable) for variable in equation.invars]
        if name in CALLS:
            inner = parameters.get("jaxpr") or parameters["call_jaxpr"]
            results = run(inner.jaxpr, inner.consts, values)
        elif name in REPLACEMENTS:
            results = REPLACEMENTS[name](*values, **parameters)
        elif name.startswith("reduce_") and parameters.get("axes") == ():
            results = values  # jax2onnx would reduce over all axes.
        else:
            results = equation.primitive.bind(*values, **equation.primitive.get_bind_params(parameters))
        known.update(zip(equation.outvars, results if isinstance(results, (list, tuple)) else [results]))
    return [value_of(variable) for variable in jaxpr.outvars]


def lower(function, example):
    """`function`, of as many arrays as `example` has and with a tuple of arrays as its result, rewritten.

    Each result is a value of its own: jax2onnx can give one value one name only.
    """
    closed = jax.make_jaxpr(function)(*example)
    return lambda *values: tuple(jnp.copy(result) for result in run(closed.jaxpr, closed.consts, values))
