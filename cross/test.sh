#!/usr/bin/env bash
# Runs the tests of another processor's build under qemu-user; build.sh ARCH --tests comes first.
#   test.sh ARCH                     the unit tests
#   test.sh ARCH promises            the promise tests, with the real agent
#   test.sh ARCH unit PATTERN        names as GoogleTest takes them: 'Store*'
#   test.sh ARCH promises FILE[.NAME]...   of tests/promises: 'rotation', 'full.test_...'
# What cannot pass under qemu-user is in not_under_qemu.txt, each with its reason; it is told how many were
# left out. Exit code 0: everything else passed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."

arch=${1:-} what=${2:-unit}
shift $(($# < 2 ? $# : 2))
case $arch in
  amd64) qemu=x86_64 ;;
  arm64) qemu=aarch64 ;;
  armhf) qemu=arm ;;
  riscv64) qemu=riscv64 ;;
  *) echo "test: \"$arch\" is not one of amd64, arm64, armhf, riscv64" >&2; exit 2 ;;
esac
build=$PWD/build-$arch
[ -x "$build/agent/edgehose" ] && [ -d "$build/tests" ] || {
  echo "test: there are no tests in $build: bash cross/build.sh $arch --tests" >&2
  exit 2
}
sysroot=$(bash cross/sysroot.sh "$arch")
emulator=(env QEMU_CPU="${QEMU_CPU:-max}" "qemu-$qemu-static" -L "$sysroot")
[ "$arch" = "$(dpkg --print-architecture)" ] && emulator=(env)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The patterns of one kind ("unit", "promises") that are left out for this processor.
left_out() { awk -v kind="$1" -v arch="$arch" '$1 == kind && ($2 == "all" || index("," $2 ",", "," arch ",")) { print $3 }' cross/not_under_qemu.txt; }

# ---- unit tests: each program as a whole, in two halves, as many at once as there are cores ---------

# Half $2 of program $1: its output and its exit code go to files of their names.
half() {
  local log=$work/$(basename "$1").$2
  local filter=$pattern-$(left_out unit | paste -sd :)
  local code=0
  GTEST_TOTAL_SHARDS=2 GTEST_SHARD_INDEX=$2 timeout 1200 "${emulator[@]}" "$1" --gtest_brief=1 \
    --gtest_filter="$filter" >"$log" 2>&1 || code=$?
  [ $code -eq 0 ] && return
  { echo "== $(basename "$1"), exit code $code:"; tail -n 60 "$log"; } >>"$work/failed"
}

unit() {
  pattern=${1:-*}
  local programs
  mapfile -t programs < <(find "$build/tests" -type f -name '*_test' -perm -u+x | sort)
  for program in "${programs[@]}"; do
    for index in 0 1; do
      while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do wait -n; done
      half "$program" $index &
    done
  done
  wait
  [ -f "$work/failed" ] && cat "$work/failed"
  count() { cat "$work"/*_test.? | sed -n "s/^\[  $1 *\] \([0-9]*\) tests*\..*/\1/p" | awk '{ n += $1 } END { print n + 0 }'; }
  echo "$arch: $(count PASSED) unit tests of ${#programs[@]} programs passed under qemu-user, $(count SKIPPED) skipped," \
    "$(left_out unit | wc -l) patterns left out"
  [ ! -f "$work/failed" ]
}

# ---- promise tests: the scripts run here, every program that they start under qemu ------------------

# A script in the place of a program: what a test starts, kills and waits for is the emulator itself.
stand_in() {
  printf '#!/bin/sh\nexec %s "%s" "$@"\n' "${emulator[*]}" "$1" >"$work/$(basename "$1")"
  chmod +x "$work/$(basename "$1")"
}

promises() {
  stand_in "$build/agent/edgehose"
  for tool in gateway_log check_lines; do stand_in "$build/tests/support/$tool"; done
  stand_in "$build/tests/promises/refuse_all"
  cp "$build"/tests/support/*.so "$work"
  export EDGEHOSE=$work/edgehose EDGEHOSE_TOOLS=$work EDGEHOSE_REFUSE=$work/refuse_all
  local passed=0 skipped=0 failed=()
  local names=("$@")
  [ ${#names[@]} -gt 0 ] || mapfile -t names < <(cd tests/promises && ls -- *.py | sed 's/\.py$//' | grep -vx promise)
  for name in "${names[@]}"; do
    local file=tests/promises/${name%%.*}.py tests=()
    case $name in
      *.*) tests=("${name#*.}") ;;
      *) mapfile -t tests < <(sed -n 's/^    def \(test_[a-z0-9_]*\).*/\1/p' "$file") ;;
    esac
    for test in "${tests[@]}"; do
      if left_out promises | grep -qxF -e "${name%%.*}" -e "${name%%.*}.$test"; then skipped=$((skipped + 1)); continue; fi
      if timeout 600 python3 "$file" "Promise.$test" >"$work/log" 2>&1; then
        passed=$((passed + 1))
      else
        failed+=("${name%%.*}.$test")
        { echo "== ${name%%.*}.$test:"; tail -n 30 "$work/log"; }
      fi
    done
  done
  echo "$arch: $passed promise tests passed under qemu-user, $skipped left out, ${#failed[@]} failed: ${failed[*]:-none}"
  [ ${#failed[@]} -eq 0 ]
}

case $what in
  unit) unit "$@" ;;
  promises) promises "$@" ;;
  *) echo "test: \"$what\" is not one of unit, promises" >&2; exit 2 ;;
esac
