#!/usr/bin/env bash
# Runs clang-tidy, as .clang-tidy says, over every source that the dev preset has built, but for tests and what protoc
# wrote. The preset compiles many sources at a time; they are checked in the same batches, each header once for all.
set -euo pipefail
cd "$(dirname "$0")/.."
# What it counts in other people's headers goes to stderr.
find build/dev -path '*.dir/Unity/*.cxx' -not -path '*_test.dir/*' -not -path '*/proto/*' -print0 |
  xargs -0 -n 1 -P "$(nproc)" clang-tidy -p build/dev --quiet 2> build/dev/tidy.log
