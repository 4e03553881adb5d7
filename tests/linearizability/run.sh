#!/usr/bin/env bash
# Records histories of a branch under concurrent steps, moves and reads, and has porcupine check that each is linearizable.
#
#   tests/linearizability/run.sh [--runs 200] [--seed 1] [--broken] [--recorder FILE]
#
# --broken: the recorder's store forgets which head a commit expected, and the check must find that out. FILE is the
# built stepwell_history_recorder; default: that of the preset dev. The exit code is 0 when all is as it should be, 1 when
# not, 77 when Go or its module is not to be had.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
runs=200
seed=1
recorder=$root/build/dev/tests/stepwell_history_recorder
recorder_flags=()
check_flags=()
while [ $# -gt 0 ]; do
  case $1 in
    --runs) runs=$2; shift 2 ;;
    --seed) seed=$2; shift 2 ;;
    --recorder) recorder=$2; shift 2 ;;
    --broken) recorder_flags+=(--broken); check_flags+=(-expect-illegal); shift ;;
    *) printf 'run.sh: "%s"; expected --runs N, --seed N, --broken or --recorder FILE\n' "$1" >&2; exit 2 ;;
  esac
done

skip() { printf 'skipped: %s\n' "$*"; exit 77; }

command -v go > /dev/null || skip "Go is not installed; apt-get install golang-go brings it"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$here/check"
go mod download 2> "$work/download.log" || skip "the Go module cannot be fetched: $(tail -n 1 "$work/download.log")"
go build -o "$work/check" .

"$recorder" --models "$root/tests/data/equinox" --runs "$runs" --seed "$seed" "${recorder_flags[@]}" |
  "$work/check" "${check_flags[@]}"
