#!/usr/bin/env bash
# Brings everything that Stepwell needs to build, on Debian 12 and 13. May be run again at any time: what is there
# already is left alone, without a look at the network.
#
#   scripts/install-deps.sh          compilers, libraries, ONNX Runtime
#   scripts/install-deps.sh --dev    also what .ci/run checks with: clang, clang-format, clang-tidy, shellcheck, and an
#                                    Abseil for the thread sanitizer, and what a test reads exported files with
set -euo pipefail

onnxruntime_version=1.21.0
onnxruntime_root=${STEPWELL_ONNXRUNTIME_ROOT:-/opt/onnxruntime}
# What Debian 12 takes from elsewhere: the library from the project's own Python wheel, the headers from Debian 13.
declare -A wheel_sha256=([x86_64]=8a5d09815a9e209fa0cb20c2985b34ab4daeba7aea94d0f96b8751eb10403201)
declare -A headers_sha256=([x86_64]=14f7d959d5deacbcf1504830d4189f91fc67382b399ed9ae9d3aa9c4050ced08)

packages=(
  build-essential ca-certificates ccache cmake git jq ninja-build pkg-config
  libabsl-dev libcli11-dev libgmock-dev libgrpc++-dev libgrpc-dev libgtest-dev libjemalloc-dev libprotobuf-dev
  librocksdb-dev libspdlog-dev libssl-dev libxxhash-dev nlohmann-json3-dev protobuf-compiler protobuf-compiler-grpc
)
python_root=/opt/stepwell-python
dev_packages=(clang clang-format clang-tidy shellcheck)

say() { printf 'install-deps: %s\n' "$*"; }
fail() { printf 'install-deps: %s\n' "$*" >&2; exit 1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# The release of Debian, or a message that says what to do elsewhere.
debian_release() {
  local id='' version=''
  if [ -r /etc/os-release ]; then
    # shellcheck disable=SC1091
    id=$(. /etc/os-release && echo "${ID:-}")
    # shellcheck disable=SC1091
    version=$(. /etc/os-release && echo "${VERSION_ID:-}")
  fi
  if [ "$id" = debian ] && { [ "$version" = 12 ] || [ "$version" = 13 ]; }; then
    echo "$version"
    return
  fi
  fail "this is ${id:-an unknown system} ${version}, and only Debian 12 and 13 are known here.
Install by hand what the Debian packages ${packages[*]} hold, and ONNX Runtime $onnxruntime_version, whose folder
STEPWELL_ONNXRUNTIME_ROOT tells CMake; or build in a container of debian:trixie."
}

install_packages() {
  local missing=()
  local package
  for package in "$@"; do
    if [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" != installed ]; then
      missing+=("$package")
    fi
  done
  if [ ${#missing[@]} = 0 ]; then
    say "all $# packages are installed"
    return
  fi
  say "installing ${missing[*]}"
  as_root apt-get -qq update
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null
}

check_sha256() {
  local file=$1 expected=$2 actual
  actual=$(sha256sum "$file" | cut -d' ' -f1)
  [ "$actual" = "$expected" ] || fail "$(basename "$file") has the SHA-256 $actual, not $expected as expected: it is
another build than the one that was tried. Try it, then change the number in scripts/install-deps.sh."
}

# Debian 13's own package sources, made from this system's with the name of the release changed.
write_trixie_sources() {
  local sources=$1
  mkdir -p "$sources"
  if [ -s /etc/apt/sources.list ]; then
    sed -E '/bookworm-|^#/d; s/bookworm/trixie/' /etc/apt/sources.list > "$sources/trixie.list"
  fi
  if [ -s /etc/apt/sources.list.d/debian.sources ]; then
    awk 'BEGIN { RS = ""; ORS = "\n\n" } NR == 1' /etc/apt/sources.list.d/debian.sources |
      sed -E 's/^Suites:.*/Suites: trixie/' > "$sources/trixie.sources"
  fi
}

# A reader of safetensors files that is not ours, for a test.
install_safetensors() {
  if PYTHONPATH=$python_root python3 -c 'import safetensors.numpy' 2>/dev/null; then
    say "Python's safetensors is there"
    return
  fi
  install_packages python3 python3-pip
  say "installing Python's safetensors into $python_root"
  local pinned
  mapfile -t pinned < <(grep -E '^(numpy|safetensors)==' "$(dirname "$0")/../examples/models/requirements.txt")
  as_root python3 -m pip install -q --root-user-action=ignore --only-binary=:all: --target "$python_root" "${pinned[@]}"
}

# Into $onnxruntime_root: lib/ from the wheel, include/onnxruntime/ from Debian 13.
install_onnxruntime() {
  if [ -e "$onnxruntime_root/lib/libonnxruntime.so.$onnxruntime_version" ] &&
    [ -e "$onnxruntime_root/include/onnxruntime/onnxruntime_c_api.h" ]; then
    say "ONNX Runtime $onnxruntime_version is in $onnxruntime_root"
    return
  fi
  local arch work apt_options
  arch=$(uname -m)
  [ -n "${wheel_sha256[$arch]:-}" ] || fail "no ONNX Runtime $onnxruntime_version was tried on $arch with Debian 12;
use Debian 13, or install it by hand and set STEPWELL_ONNXRUNTIME_ROOT"
  install_packages python3 python3-pip
  say "installing ONNX Runtime $onnxruntime_version into $onnxruntime_root"
  work=$(mktemp -d)
  # shellcheck disable=SC2064
  trap "rm -rf '$work'" EXIT
  python3 -m pip download -q --no-deps --only-binary=:all: --implementation cp --python-version 3.11 \
    --platform "manylinux_2_28_$arch" -d "$work/wheel" "onnxruntime==$onnxruntime_version"
  check_sha256 "$work"/wheel/*.whl "${wheel_sha256[$arch]}"

  write_trixie_sources "$work/sources"
  mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/download"
  apt_options=(-o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$work/sources"
    -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work/cache" -o "APT::Sandbox::User=$(id -un)")
  apt-get "${apt_options[@]}" -qq update
  (cd "$work/download" && apt-get "${apt_options[@]}" -qq download libonnxruntime-dev)
  check_sha256 "$work"/download/*.deb "${headers_sha256[$arch]}"
  dpkg-deb -x "$work"/download/*.deb "$work/headers"

  as_root mkdir -p "$onnxruntime_root/lib" "$onnxruntime_root/include"
  as_root cp -r "$work/headers/usr/include/onnxruntime" "$onnxruntime_root/include/"
  as_root python3 - "$work"/wheel/*.whl "$onnxruntime_root/lib/libonnxruntime.so.$onnxruntime_version" <<'PY'
import sys, zipfile
wheel, library = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive, open(library, "wb") as out:
    out.write(archive.read("onnxruntime/capi/" + library.rsplit("/", 1)[1]))
PY
  as_root ln -sf "libonnxruntime.so.$onnxruntime_version" "$onnxruntime_root/lib/libonnxruntime.so.1"
  as_root ln -sf libonnxruntime.so.1 "$onnxruntime_root/lib/libonnxruntime.so"
}

release=$(debian_release)
case "${1:-}" in
  '') ;;
  --dev)
    packages+=("${dev_packages[@]}")
    if [ "$release" = 12 ]; then packages+=(libclang-rt-14-dev); fi
    ;;
  *) fail "unknown argument \"$1\"; expected --dev or nothing" ;;
esac
if [ "$release" = 13 ]; then packages+=(libonnxruntime-dev); fi
install_packages "${packages[@]}"
if [ "$release" = 12 ]; then install_onnxruntime; fi
if [ "${1:-}" = --dev ]; then
  "$(dirname "$0")/install-tsan-abseil.sh"
  install_safetensors
fi
say "done"
