#!/usr/bin/env bash
# Runs the tests of another processor's build under qemu-user; build.sh ARCH --tests comes first.
#   test.sh ARCH                     the unit tests
#   test.sh ARCH promises            the promise tests, with the real agent
#   test.sh ARCH unit PATTERN        names as GoogleTest takes them: 'Store*'
#   test.sh ARCH promises FILE[.NAME]...   of tests/promises: 'rotation', 'full.test_...'
# What cannot pass under qemu-user is in not_under_qemu.txt, each with its reason; it is told how many were
# left out. Exit code 0: everything else passed.
set -euo pipefail
cd "$(dirname "$0")/.."

source cross/arch.sh
processor "${1:-}"
what=${2:-unit}
shift $(($# < 2 ? $# : 2))
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
source cross/promise_tests.sh
kernel_execs=no
if [ "$arch" = "$(dpkg --print-architecture)" ] || kernel_runs "$qemu" "$sysroot"; then kernel_execs=yes; fi

# ---- unit tests: each suite in a process of its own, one more at once than there are cores ----------

# So no test meets what one of another suite left in memory, as none does in ctest. One more than cores: some only wait.
# Of program $1 a line for each suite: the names of the tests of it that are to be run, as a filter.
suites() {
  "${emulator[@]}" "$1" --gtest_list_tests --gtest_filter="$filter" | awk '
    /^[^ ]+\.( +#.*)?$/ { if (tests != "") print tests; suite = $1; tests = ""; next }
    /^  / { tests = tests (tests == "" ? "" : ":") suite $1 }
    END { if (tests != "") print tests }'
}

# The tests $2 of program $1: what they say goes to a file named by $3.
suite() {
  local log=$work/$3.unit code=0
  timeout 1200 "${emulator[@]}" "$1" --gtest_brief=1 --gtest_filter="$2" >"$log" 2>&1 || code=$?
  [ $code -eq 0 ] && return
  {
    echo "== $(basename "$1") ${2%%.*}, exit code $code:"
    sed -E '/ (info|warn)  ?/d' "$log" | tail -n 60
  } >>"$work/failed"
  echo "== $(basename "$1") ${2%%.*} failed"  # at once: an end that comes too early shows it, too
}

unit() {
  local programs number=0 filter
  filter=${1:-*}-$(not_under_qemu unit "$arch" | awk '{ print $1 }' | paste -sd :)
  mapfile -t programs < <(find "$build/tests" -type f -name '*_test' -perm -u+x | sort)
  for program in "${programs[@]}"; do
    if ! suites "$program" >"$work/suites" || { [ ! -s "$work/suites" ] && [ $# -eq 0 ]; }; then
      echo "== $(basename "$program") does not list its tests" >>"$work/failed"
    fi
    while read -r tests; do
      while [ "$(jobs -rp | wc -l)" -gt "$(nproc)" ]; do wait -n || true; done
      number=$((number + 1))
      suite "$program" "$tests" $number </dev/null &
    done <"$work/suites"
  done
  wait
  [ -f "$work/failed" ] && cat "$work/failed"
  count() { cat "$work"/*.unit | sed -n "s/^\[  $1 *\] \([0-9]*\) tests*\..*/\1/p" | awk '{ n += $1 } END { print n + 0 }'; }
  echo "$arch: $(count PASSED) unit tests in $number suites of ${#programs[@]} programs passed under qemu-user," \
    "$(count SKIPPED) skipped, $(not_under_qemu unit "$arch" | wc -l) patterns left out"
  [ ! -f "$work/failed" ] && [ "$number" -gt 0 ]
}

# ---- promise tests: the scripts run here, every program that they start under qemu ------------------

promises() {
  left_out=$(not_under_qemu promises "$arch")
  stand_in "$build/agent/edgehose" EDGEHOSE
  stand_in "$build/tests/promises/refuse_all" EDGEHOSE_REFUSE
  stand_in_later "$build/tests/promises/edgehose_later"
  for tool in gateway_log check_lines; do stand_in "$build/tests/support/$tool"; done
  cp "$build"/tests/support/*.so "$work"
  export EDGEHOSE_TOOLS=$work
  local names=("$@")
  [ ${#names[@]} -gt 0 ] || mapfile -t names < <(cd tests/promises && ls -- *.py | sed 's/\.py$//' | grep -vx promise)
  run_promises "$arch" "${names[@]}"
}

case $what in
  unit) unit "$@" ;;
  promises) promises "$@" ;;
  *) echo "test: \"$what\" is not one of unit, promises" >&2; exit 2 ;;
esac
