#!/usr/bin/env bash
# From a fresh clone to a model that steps on live data: brings the dependencies, builds the release, starts a server on
# examples/models, runs the demo against it and stops the server. On Debian 12 and 13; arguments go to the demo, such as
# --seconds 20.
set -euo pipefail
cd "$(dirname "$0")/.."

build=build/release
work=$(mktemp -d)
server_pid=''
demo_pid=''

say() { printf '\nquickstart: %s\n' "$*"; }
fail() {
  printf '\nquickstart: %s\n' "$*" >&2
  exit 1
}

# Ends `pid` and waits until it has ended; one that has ended already is no matter.
stop() {
  local pid=$1
  [ -n "$pid" ] || return 0
  kill "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
}

clean_up() {
  local status=$?
  trap - EXIT
  trap '' INT TERM
  stop "$demo_pid"
  stop "$server_pid"
  rm -rf "$work"
  exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say "1/4 dependencies"
scripts/install-deps.sh || fail "the dependencies are not complete; what is missing is said above"

say "2/4 release build, in $build"
cmake --preset release >"$work/configure.log" 2>&1 || {
  cat "$work/configure.log" >&2
  fail "cmake could not configure the build; its words are above"
}
targets=(stepwelld stepwell-demo)
if cmake --build --preset release --target help | grep '^stepwell: ' >/dev/null; then targets+=(stepwell); fi
cmake --build --preset release --target "${targets[@]}" ||
  fail "the build failed; the compiler's words are above"

say "3/4 server, on examples/models"
exec {server_out}< <(exec "$build/server/stepwelld" --models examples/models --in-memory --listen 127.0.0.1:0 \
  2>"$work/server.log")
server_pid=$!
address=''
if read -r -t 60 line <&"$server_out"; then address=${line#listening on }; fi
if [ -z "$address" ]; then
  cat "$work/server.log" >&2
  fail "stepwelld did not start; its log is above"
fi
echo "stepwelld listens on $address"

say "4/4 demo"
"$build/examples/demo/stepwell-demo" --server "$address" "$@" &
demo_pid=$!
wait "$demo_pid" || {
  status=$?
  if [ "$status" = 1 ]; then tail -n 20 "$work/server.log" >&2; fi
  printf '\nquickstart: the demo ended with exit code %d; what it said is above\n' "$status" >&2
  exit "$status"
}
demo_pid=''
stop "$server_pid"
server_pid=''

cli=$build/client/cli/stepwell
say "done; the server has ended, and its states with it. Try next, in one terminal"
printf '  %s --models examples/models\n' "$build/server/stepwelld"
printf 'and in another\n'
if [ -x "$cli" ]; then
  printf "  $cli %s\n" "models" "make counter --branch live" "step live --input x=5" "get live"
fi
printf '  %s --help\n' "$build/examples/demo/stepwell-demo"
