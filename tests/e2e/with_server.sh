#!/usr/bin/env bash
# with_server.sh STEPWELLD MODELS COMMAND…: runs COMMAND with the address of a server of its own as the last
# argument. Fails when either of them does.
set -euo pipefail
stepwelld=$1 models=$2
shift 2
exec {out}< <(exec "$stepwelld" --models "$models" --in-memory --listen 127.0.0.1:0 --log-level error)
server=$!
trap 'kill "$server"' EXIT
if ! read -r line <&"$out"; then
  trap - EXIT
  echo "$stepwelld did not say where it listens; its log is above" >&2
  exit 1
fi
"$@" "${line#listening on }"
trap - EXIT
kill "$server"
wait "$server"
