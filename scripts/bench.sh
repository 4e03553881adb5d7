#!/usr/bin/env bash
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "${1:-}" = --help ] || [ "${1:-}" = -h ]; then
  cat <<'HELP'
Measures Stepwell: scripts/bench.sh [NAME…]

Builds the release preset, then takes each measure in turns with its ceiling, the same work without Stepwell. Prints a
table and writes build/bench.json. docs/benchmarks.md says what is compared and how to read it.

A NAME is the id of a measure or a prefix of ids; without one, everything is measured. --list prints the ids.
Exits with 0 when every goal holds, 1 when one does not, 2 when something could not be built or measured.

  scripts/bench.sh                  everything; cold.20GB and open.10M take as long as the disk does
  scripts/bench.sh unary engine.gru
HELP
  exit 0
fi

# stdout is the table's alone.
{ cmake --preset release && cmake --build --preset release --target stepwell_bench; } >&2 || exit 2
build/release/bench/stepwell_bench --json build/bench.json "$@"
