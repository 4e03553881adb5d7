#!/usr/bin/env bash
# expect_output.sh PATTERN COMMAND…: runs COMMAND. Fails when it fails, or when what it writes does not match
# the extended regular expression PATTERN, in which a line's end counts as a space.
set -euo pipefail
pattern=$1
shift
output=$("$@")
printf '%s\n' "$output"
if ! [[ "${output//$'\n'/ }" =~ $pattern ]]; then
  echo "the output does not match \"$pattern\"" >&2
  exit 1
fi
