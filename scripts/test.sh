#!/usr/bin/env bash
# Builds and runs every test: scripts/test.sh [PRESET…]; without a preset, dev. Presets are in CMakePresets.json.
set -euo pipefail
cd "$(dirname "$0")/.."
presets=("$@")
if [ $# = 0 ]; then presets=(dev); fi

scripts/install-deps.sh
for preset in "${presets[@]}"; do
  case $preset in tsan | clang-*) scripts/install-deps.sh --dev ;; esac
  printf '== %s ==\n' "$preset"
  cmake --preset "$preset"
  cmake --build --preset "$preset"
  ctest --preset "$preset" -j "$(nproc)"
done
