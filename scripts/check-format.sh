#!/usr/bin/env bash
# Fails, naming the places, when a C++ file is not as clang-format would write it. `--fix` rewrites them instead.
set -euo pipefail
cd "$(dirname "$0")/.."
mode=(--dry-run --Werror)
if [ "${1:-}" = --fix ]; then mode=(-i); fi
git ls-files -z -- '*.cc' '*.h' | xargs -0 clang-format "${mode[@]}"
