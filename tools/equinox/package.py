#!/usr/bin/env python3
"""Turns a folder of Equinox cases into a model repository.

    package.py SOURCE DESTINATION

Each folder of SOURCE with a step.onnx is a case, as make_cases.py writes them: report.json says the dtype and shape of
each state array, trajectory.safetensors holds for each of them the values before every step and after the last. Of
each, DESTINATION gets a package:

    model.textproto          the state spec, every array starting as it does in the trajectory
    step.onnx, infer.onnx    the methods, as they were; infer where the case has it
    initial.safetensors      the first row of each state array
    trajectory.safetensors   as it was, for the tests; the package does not mention it

Needs nothing but Python.
"""
import argparse
import json
import pathlib
import shutil
import struct
import sys

METHODS = ("step", "infer")
DTYPES = {"bool": 1, "int8": 1, "uint8": 1, "int16": 2, "uint16": 2, "int32": 4, "uint32": 4, "int64": 8, "uint64": 8,
          "float16": 2, "bfloat16": 2, "float32": 4, "float64": 8}


class CaseError(Exception):
    """A case that is not as expected."""


def read_safetensors(path):
    """{name: (dtype tag, shape, bytes)}; the format is described at https://huggingface.co/docs/safetensors."""
    content = path.read_bytes()
    if len(content) < 8:
        raise CaseError(f"{path}: {len(content)} bytes; expected a safetensors file")
    (length,) = struct.unpack_from("<Q", content)
    try:
        header = json.loads(content[8:8 + length])
    except ValueError as error:
        raise CaseError(f"{path}: its header is no JSON: {error}") from error
    start = 8 + length
    return {name: (entry["dtype"], entry["shape"],
                   content[start + entry["data_offsets"][0]:start + entry["data_offsets"][1]])
            for name, entry in header.items() if name != "__metadata__"}


def write_safetensors(path, tensors):
    header, data = {}, b""
    for name, (dtype, shape, content) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def first_rows(case, state):
    trajectory = read_safetensors(case / "trajectory.safetensors")
    rows = {}
    for index, (dtype, shape) in state.items():
        if index not in trajectory:
            raise CaseError(f"{case}: trajectory.safetensors has no {index!r}, which report.json has")
        if dtype not in DTYPES:
            raise CaseError(f"{case}: {index!r} is {dtype!r}; expected one of {', '.join(DTYPES)}")
        tag, rows_shape, content = trajectory[index]
        if rows_shape[1:] != shape:
            raise CaseError(f"{case}: {index!r} has rows of {rows_shape[1:]}; expected {shape}, as report.json says")
        size = DTYPES[dtype]
        for extent in shape:
            size *= extent
        rows[index] = (tag, shape, content[:size])
    return rows


def model_text(case, state, methods):
    lines = [f"# The case {case.name!r} of a folder of Equinox cases, made a package by tools/equinox/package.py.", ""]
    for index, (dtype, shape) in state.items():
        extents = f" shape: {shape}" if shape else ""
        lines.append(f'state {{ index: "{index}" dtype: {dtype.upper()}{extents} '
                     'file { path: "initial.safetensors" } }')
    lines += [f'method {{ name: "{method}" }}' for method in methods]
    return "\n".join(lines) + "\n"


def make_package(case, destination):
    state = json.loads((case / "report.json").read_text())["state"]
    methods = [method for method in METHODS if (case / f"{method}.onnx").exists()]
    destination.mkdir(parents=True, exist_ok=True)
    for file in [f"{method}.onnx" for method in methods] + ["trajectory.safetensors"]:
        shutil.copyfile(case / file, destination / file)
    write_safetensors(destination / "initial.safetensors", first_rows(case, state))
    (destination / "model.textproto").write_text(model_text(case, state, methods))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=pathlib.Path, help="a folder of cases")
    parser.add_argument("destination", type=pathlib.Path, help="the model repository to write; made when not there")
    args = parser.parse_args()
    cases = sorted(path.parent for path in args.source.glob("*/step.onnx"))
    if not cases:
        sys.exit(f"package.py: {args.source} has no case; expected folders with a step.onnx")
    try:
        for case in cases:
            make_package(case, args.destination / case.name)
            print(f"{args.destination / case.name}")
    except (CaseError, OSError, KeyError) as error:
        sys.exit(f"package.py: {error}")


if __name__ == "__main__":
    main()
