#!/usr/bin/env bash
# Builds the image, brings docker/compose.yaml up and holds it to what it says: the server becomes healthy and is not
# root on a root file system that it cannot write, the demo's numbers arrive, what is published can be reached, states are
# there after a restart and after down and up, and SIGTERM ends the server in good order. Takes all down again, volumes too; the image stays, for the next build to
# start from. Runs beside other projects: under a name of its own, on a free port.
#
# Where no Docker daemon with compose v2 answers, it prints "skipped: " with the reason and exits with 0, because what
# cannot be tried here says nothing of the tree. --required makes that a failure.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'compose-test: %s\n' "$*"; }
fail() {
  printf 'compose-test: %s\n' "$*" >&2
  exit 1
}

required=false
case "${1:-}" in
  '') ;;
  --required) required=true ;;
  *) fail "unknown argument \"$1\"; expected --required or nothing" ;;
esac
skip() {
  if $required; then fail "$*"; fi
  printf 'skipped: %s\n' "$*"
  exit 0
}

command -v docker >/dev/null || skip "there is no docker command"
answer=$(docker info --format '{{.ServerVersion}}' 2>&1) || skip "no Docker daemon answers: $answer"
docker compose version --short >/dev/null 2>&1 || skip "docker has no compose v2 (\"docker compose\")"

export STEPWELL_PORT=0
project=stepwell-test-$$
compose() { docker compose -p "$project" -f docker/compose.yaml "$@"; }

clean_up() {
  local status=$?
  trap - EXIT
  if [ "$status" != 0 ]; then compose logs --no-color >&2 || true; fi
  compose down --volumes --remove-orphans --timeout 15 >/dev/null 2>&1 ||
    printf 'compose-test: could not take %s down\n' "$project" >&2
  exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say "building the image"
compose build --quiet

say "starting the server, then the demo"
compose up --detach --quiet-pull || fail "the server did not become healthy; its log is below"
server=$(compose ps --all --quiet server)
demo=$(compose ps --all --quiet demo)
health=$(docker inspect --format '{{.State.Health.Status}}' "$server")
[ "$health" = healthy ] || fail "the server is $health; expected healthy"
say "the server is healthy"

user=$(docker exec "$server" id -u)
[ "$user" != 0 ] || fail "the server runs as root"
if docker exec --user 0 "$server" touch /usr/local/bin/probe 2>/dev/null; then
  fail "the server's root file system can be written"
fi

address=$(compose port server 7350)
case "$address" in
  127.0.0.1:*) ;;
  *) fail "the server is published on $address; expected 127.0.0.1" ;;
esac
docker run --rm --network host stepwell --health "$address" || fail "the published port does not lead to the server"

say "waiting for the demo"
status=$(timeout 120 docker wait "$demo") || fail "the demo has not ended within two minutes"
[ "$status" = 0 ] || fail "the demo ended with exit code $status"
log=$(docker logs "$demo")
for phase in calm burst rest; do
  lines=$(grep -cE "^ *[0-9]+ s  $phase +[0-9]+ +[0-9]+\.[0-9]" <<<"$log" || true)
  say "the demo told $lines scores of the phase $phase"
  [ "$lines" -ge 2 ] || fail "the demo told $lines scores of the phase $phase; expected at least 2"
done
grep -q 'is as it was: count, mean and variance bit for bit' <<<"$log" ||
  fail "the demo did not find the version before the burst as it was"

# What a client sees of the branch "kept": its state, and its history with the times of its versions; but whether they
# are on the disk yet.
kept() {
  compose exec -T server sh -c 'stepwell get kept --json && stepwell log kept --json' | sed 's/"durable":[a-z]*,//g'
}
expect_kept() {
  local now
  now=$(kept) || fail "the branch cannot be read after $1"
  [ "$now" = "$before" ] || fail "after $1 the branch is $now; expected $before"
  say "the branch and its history are there after $1"
}
compose exec -T server sh -c \
  'stepwell make counter --branch kept && stepwell step kept --input x=5 && stepwell step kept --input x=2' \
  >/dev/null || fail "the server does not step"
before=$(kept)
[ "$(grep -o '"model":"counter"' <<<"$before" | wc -l)" = 3 ] || fail "the branch is $before; expected 3 versions"
say "restarting the server"
compose restart server >/dev/null 2>&1
compose up --detach --wait server >/dev/null 2>&1 || fail "the server did not come back after a restart"
expect_kept "a restart"
say "taking all down but the volume, and up again"
compose down --timeout 30 >/dev/null 2>&1 || fail "the services cannot be taken down"
compose up --detach --wait server >/dev/null 2>&1 || fail "the server did not come back on its volume"
server=$(compose ps --all --quiet server)
expect_kept "down and up"

say "stopping the server"
compose stop server >/dev/null 2>&1
status=$(docker inspect --format '{{.State.ExitCode}}' "$server")
[ "$status" = 0 ] || fail "the server ended with exit code $status; expected 0 within its grace period"
say "passed"
