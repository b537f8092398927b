#!/usr/bin/env bash
# Installs what is missing, builds everything into build-tests/, runs every test.
#   bash tests/run.sh                  all of it
#   bash tests/run.sh -R crash         what follows goes to ctest: here, only names with "crash"
# Works as root and for a user with sudo. As root more is tested: full disks and the like need a
# mount; without it those tests say that they were skipped.
set -euo pipefail
cd "$(dirname "$0")/.."
build=build-tests

bash cross/install-deps.sh --tests --packages

generator=()
[ -f $build/CMakeCache.txt ] || generator=(-G Ninja)
launcher=()
command -v ccache >/dev/null && launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
cmake -S . -B $build "${generator[@]}" "${launcher[@]}" -DEDGEHOSE_TESTS=ON \
  -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_UNITY_BUILD=ON >/dev/null
cmake --build $build --parallel "$(nproc)"

# More at once than there are cores: most of their time they wait for what they watch.
exec ctest --test-dir $build --output-on-failure -j$(($(nproc) + 2)) --timeout 180 "$@"
