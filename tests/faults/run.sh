#!/usr/bin/env bash
# Runs the tests of bad disks and prints what they saw: a line for each fault, with what requests got and what was lost of what
# had been acknowledged.
#
#   tests/faults/run.sh [--build DIR]
#
# DIR is the build folder; default: that of the preset dev, whose targets are built first. The exit code is 0 when every test
# passed, 1 when one failed. A fault that could not be tried here, such as a full disk without the right to mount one, says why.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
build=
while [ $# -gt 0 ]; do
  case $1 in
    --build) build=$2; shift 2 ;;
    --help) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) printf 'run.sh: "%s"; expected --build DIR or --help\n' "$1" >&2; exit 2 ;;
  esac
done
if [ -z "$build" ]; then
  build=$root/build/dev
  (cd "$root" && cmake --preset dev > /dev/null &&
    cmake --build --preset dev --target storage_damage_test engine_test e2e_full_disk_test stepwelld) >&2
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
for test in lib/stepwell/storage/storage_damage_test lib/stepwell/engine/engine_test tests/e2e_full_disk_test; do
  name=$(basename "$test")
  printf 'running %s\n' "$name" >&2
  filter='*'
  if [ "$name" = engine_test ]; then filter='*Clock*:*RetentionRace*'; fi
  if ! "$build/$test" --gtest_filter="$filter" --gtest_output="xml:$work/$name.xml" > "$work/$name.log" 2>&1; then
    cat "$work/$name.log" >&2
    failed=1
  fi
done
python3 "$here/table.py" "$work"/*.xml
exit $failed
