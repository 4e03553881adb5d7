#!/usr/bin/env bash
# Kills stepwelld under load, again and again, and checks that it has what it owes; crash.cc says what and how.
#
#   tests/crash/run.sh [--cycles 100] [--seed N] [--cycles-per-store 100] [--most-answers 400] [--preset dev] [--help]
#
# Builds the server and stepwell_crash first, with that preset. The last line on stdout is the summary. The exit code is 0
# when all is as it should be; after a violation it is 1, stdout says what was owed and what was found, and the data directory
# is kept.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
preset=dev
flags=()
while [ $# -gt 0 ]; do
  case $1 in
    --preset) preset=${2:?--preset takes a name, as CMakePresets.json has them}; shift 2 ;;
    --help) sed -n '2,/^set/{/^#/s/^# \?//p}' "$0"; exit 0 ;;
    *) flags+=("$1"); shift ;;
  esac
done

cd "$root"
{
  cmake --preset "$preset"
  cmake --build --preset "$preset" --target stepwelld stepwell_crash
} >&2
exec "build/$preset/tests/stepwell_crash" --stepwelld "build/$preset/server/stepwelld" --models examples/models "${flags[@]}"
