#!/usr/bin/env bash
# Builds this system's Abseil once more with the thread sanitizer, into /opt/abseil-tsan, where the tsan preset looks for
# it. Part of scripts/install-deps.sh --dev; may be run again at any time.
#
# The distribution's libraries are not instrumented, so that all that an absl::Mutex guards would look like a race. These
# are the same sources, patches and options under the same SONAMEs: a program that looks here first has one Abseil, and
# gRPC's library uses it too. The version is the one installed; its sources are held by apt's signatures.
set -euo pipefail

root=/opt/abseil-tsan
version=$(dpkg-query -W -f '${source:Version}' libabsl-dev)

say() { printf 'install-tsan-abseil: %s\n' "$*"; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

if [ "$(cat "$root/version" 2>/dev/null)" = "$version" ]; then
  say "Abseil $version for the thread sanitizer is in $root"
  exit
fi
say "building Abseil $version for the thread sanitizer into $root"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# An apt of its own, whose sources are the system's with deb-src for deb: the system's lists are not touched.
mkdir -p "$work/sources" "$work/lists/partial" "$work/cache/archives/partial"
if [ -s /etc/apt/sources.list ]; then
  sed -nE 's/^deb /deb-src /p' /etc/apt/sources.list > "$work/sources/system.list"
fi
if [ -s /etc/apt/sources.list.d/debian.sources ]; then
  sed -E 's/^Types:.*/Types: deb-src/' /etc/apt/sources.list.d/debian.sources > "$work/sources/system.sources"
fi
apt_options=(-o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$work/sources"
  -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work/cache" -o "APT::Sandbox::User=$(id -un)")
apt-get "${apt_options[@]}" -qq update
(cd "$work" && apt-get "${apt_options[@]}" -qq source "abseil=$version" >/dev/null)

# As debian/rules configures it; neither NDEBUG here nor there.
cmake -G Ninja -S "$work"/abseil-*/ -B "$work/build" -DBUILD_SHARED_LIBS=ON -DCMAKE_CXX_STANDARD=17 \
  -DCMAKE_BUILD_TYPE=None -DCMAKE_CXX_FLAGS='-O1 -g1 -fsanitize=thread' -DCMAKE_INSTALL_PREFIX="$root" >/dev/null
cmake --build "$work/build"
as_root rm -rf "$root"
as_root cmake --install "$work/build" >/dev/null
echo "$version" | as_root tee "$root/version" >/dev/null
