#!/usr/bin/env python3
"""Writes array_text.json and npy.json beside this file: what numpy prints and saves. Wants numpy==2.4.6."""
import io
import json
import pathlib

import numpy as np

HERE = pathlib.Path(__file__).parent
DTYPES = ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16", "float32",
          "float64"]


def case(array):
    array = np.asarray(array)
    return {"dtype": str(array.dtype), "shape": list(array.shape), "data": array.tobytes().hex(), "text": str(array)}


def text_cases():
    random = np.random.default_rng(7)
    special = [0.0, -0.0, 1.0, -1.5, 0.1, 1 / 3, 1e-4, 9.9e-5, 5e-8, 999.0, 1e3, 1024.5, 65504.0, 99999.9, 1e6, 16777216.0,
               99999992.0, 1e8, 123456789.123, 1e15, 1e16, 3e38, 2.5e-45, 2.0**-24, np.nan, np.inf, -np.inf]
    lists = [[0.1, 0.25, -3], [1e-5, 1], [1, 1000], [1, 1001], [0.5, 500.4], [np.nan, 1.5], [np.nan, np.inf], [-np.inf, 12],
             [np.nan, 1e-9, -np.inf], [1e10, -2e-10], [1.123456789, 2], [0.12345678949999, 3], [0.5, 0.000244140625],
             [100, -0.0], [0, 0], [2.0**-9, 2.0**-10, 1.0], [1 / 3, 2 / 3, 1e-3]]
    with np.errstate(all="ignore"):
        for dtype in ["float16", "float32", "float64"]:
            for value in special:
                yield case(np.array(value, dtype))
                yield case(np.array([value], dtype))
            for values in lists:
                yield case(np.array(values, dtype))
            for scale in [1e-6, 1e-2, 1.0, 50.0, 1e5, 1e9]:
                yield case((random.standard_normal(7) * scale).astype(dtype))
            yield case(random.standard_normal((3, 11)).astype(dtype))
            yield case(random.standard_normal((2, 2, 3)).astype(dtype))
            bits = {"float16": "uint16", "float32": "uint32", "float64": "uint64"}[dtype]
            for _ in range(25):  # Of every magnitude.
                yield case(random.integers(0, np.iinfo(bits).max, 1, bits, endpoint=True).view(dtype)[0])
    for dtype in ["int8", "uint8", "int32", "int64", "uint64"]:
        limits = np.iinfo(dtype)
        yield case(np.array(limits.min, dtype))
        yield case(np.array([limits.min, limits.max, 0, 7], dtype))
        yield case(np.arange(30, dtype=dtype).reshape(2, 3, 5))
    yield case(True)
    yield case(False)
    yield case([True, False, True])
    yield case([[True, True], [True, True]])
    yield case(np.zeros((0,), "float32"))
    yield case(np.zeros((2, 0, 3), "int32"))
    yield case(np.arange(100, dtype="int32"))
    yield case(np.arange(1000, dtype="int16"))
    yield case(np.arange(1001, dtype="int16"))
    yield case(np.linspace(-1, 1, 40, dtype="float64").reshape(2, 20))
    yield case(np.arange(1002, dtype="float32").reshape(2, 501) / 8)
    yield case((np.arange(1200) % 100).astype("uint8").reshape(5, 8, 30))
    yield case((np.arange(1280) % 50).astype("int8").reshape(2, 2, 8, 40))
    yield case(np.arange(64, dtype="uint8").reshape(2, 2, 2, 2, 4))
    yield case(np.array([123456789012345678] * 6, "int64"))
    yield case(np.zeros((1200, 1), "bool"))
    yield case((np.arange(60) - 30.5).reshape(1, 60))


def npy_cases():
    random = np.random.default_rng(8)

    def saved(array, expected, version):
        out = io.BytesIO()
        np.lib.format.write_array(out, array, version)
        return {"npy": out.getvalue().hex(), "version": version[0], "dtype": str(expected.dtype),
                "shape": list(expected.shape), "data": expected.tobytes().hex()}

    for dtype in DTYPES:
        array = random.integers(0, 2, (3, 4)).astype(dtype)
        yield saved(array, array, (1, 0))
        yield saved(array.astype(np.dtype(dtype).newbyteorder(">")), array, (1, 0))
    for shape in [(), (5,), (0,), (2, 0), (1, 1, 1, 1), (2, 3, 4)]:
        array = random.standard_normal(shape).astype("float32") + np.zeros(shape, "float32")
        array = np.asarray(array, "float32")
        for version in [(1, 0), (2, 0), (3, 0)]:
            yield saved(array, array, version)
        yield saved(np.asarray(array, order="F"), array, (1, 0))
    array = np.arange(24, dtype="int64").reshape(2, 3, 4)
    yield saved(np.asfortranarray(array).astype(">i8"), array, (1, 0))


def write(name, cases):
    (HERE / name).write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")


write("array_text.json", text_cases())
write("npy.json", npy_cases())
