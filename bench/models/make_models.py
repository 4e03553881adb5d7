#!/usr/bin/env python3
"""Writes the packages beside this file, which only benchmarks need. Wants onnx==1.23.2."""
import pathlib

import onnx
import onnx.parser

HERE = pathlib.Path(__file__).resolve().parent

# The cache of a layer as large models have it, and next to no computation: what it costs is what it stores.
WIDE_CACHE = '''
<ir_version: 10, opset_import: ["" : 21]>
step (float[1024] x) => (float y, float[1, 8, 128] "k.append", float[1, 8, 128] "v.append")
<int64[3] row = {1, 8, 128}>
{
  "k.append" = Reshape(x, row)
  negative = Neg(x)
  "v.append" = Reshape(negative, row)
  y = ReduceMax<keepdims = 0>(x)
}'''
WIDE_CACHE_TEXT = '''# 4 KiB of keys and 4 KiB of values a step; what they are does not matter.
description: "A key/value cache of 8 heads of 128 that grows"
state { index: "k" dtype: FLOAT32 shape: [-1, 8, 128] }
state { index: "v" dtype: FLOAT32 shape: [-1, 8, 128] }
method { name: "step" }
'''


def main():
    model = onnx.parser.parse_model(WIDE_CACHE)
    for node in model.graph.node:
        node.name = node.output[0]
    onnx.checker.check_model(model, full_check=True)
    folder = HERE / "wide_cache"
    folder.mkdir(exist_ok=True)
    (folder / "step.onnx").write_bytes(model.SerializeToString(deterministic=True))
    (folder / "model.textproto").write_text(WIDE_CACHE_TEXT)


if __name__ == "__main__":
    main()
