#!/usr/bin/env bash
# Runs the promise tests with a static edgehose, under qemu-user where it is for another processor.
#   test.sh ARCH [--page-size N] [--program FILE] [FILE | FILE.test_NAME ...]
# N: 16384 or 65536, as some kernels have. Where the emulator keeps 4096, as on x86_64, or cannot map a file that
# grows, as Debian 12's with such pages, that is said: not run, or no more than started.
# FILE: of tests/promises; by default those below. FILE.test_NAME: one test of it.
# The tests' own tools are of this machine: EDGEHOSE_TOOLS says where, by default build-tests/tests/support.
# What cannot pass is left out by name: below, and in cross/not_under_qemu.txt. Exit code 0: the rest passed.
set -euo pipefail
scripts=$(dirname "$(realpath "$0")")
root=$(realpath "$scripts/../..")
source "$scripts/targets.sh"
source "$root/cross/promise_tests.sh"

arch='' page='' program='' chosen=()
while [ $# -gt 0 ]; do
  case $1 in
    --page-size) page=${2:?--page-size wants a number}; shift ;;
    --program) program=$(realpath "${2:?--program wants a file}"); shift ;;
    -*) usage "$1" ;;
    *) if [ -z "$arch" ]; then arch=$1; else chosen+=("$1"); fi ;;
  esac
  shift
done
[ -n "$arch" ] || { echo "test: say for which architecture: ${architectures[*]}" >&2; exit 2; }
target "$arch"
layout "$arch"
program=${program:-$root/build-static/edgehose-$arch}
tools_of_tests=${EDGEHOSE_TOOLS:-$root/build-tests/tests/support}
[ -x "$program" ] || { echo "test: $program is not there: run cross/static/build.sh $arch" >&2; exit 2; }
export EDGEHOSE_REFUSE=$tools_of_tests/../promises/refuse_all
for tool in "$tools_of_tests/gateway_log" "$EDGEHOSE_REFUSE"; do
  [ -x "$tool" ] || { echo "test: $tool is not there: build the tests (tests/README.md)" >&2; exit 2; }
done
[ ${#chosen[@]} -gt 0 ] ||
  chosen=(lives config rotation input destinations damage privacy control full upgrade reload service tls)

# A static program loads no library before its own: what is tested by preloading one. Word by word: name, why.
left_out='
destinations.test_a_disk_that_hangs_delays_no_other_and_no_stop  preloads a library
full.test_the_buffers_file_system_turns_read_only_and_back       preloads a library
service.test_sigterm_ends_a_long_opening_and_nothing_is_lost     preloads a library
service.test_the_time_limit_ends_a_long_opening                  preloads a library
clock                                                            preloads a library'
emulated='
lives.test_an_idle_agent_sleeps                                  counts switches of the emulator too
lives.test_a_thousandth_of_a_second_of_life_leaves_nothing_broken  the emulator takes longer to start
input.test_a_line_of_50_mb_is_truncated_and_the_next_is_intact   measures memory, which is the emulator'"'"'s too
control.test_what_was_refused_is_replayed_by_the_running_agent  a program of this machine writes into the buffer
control.test_a_replay_asked_for_without_an_agent_is_done_by_the_next_run  a program of this machine writes into the buffer
control.test_some_are_replayed_and_some_purged  a program of this machine writes into the buffer
control.test_a_replay_survives_kill_9  a program of this machine writes into the buffer
control.test_a_damaged_dead_letter_stops_no_other  a program of this machine writes into the buffer'

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
emulator=() kernel_execs=yes
if [ "$processor" != "$(uname -m)" ] || [ -n "$page" ]; then
  command -v "qemu-$qemu-static" >/dev/null ||
    { echo "test: qemu-$qemu-static is missing: run cross/install-deps.sh --static" >&2; exit 2; }
  emulator=(env "QEMU_CPU=$qemu_cpu" "qemu-$qemu-static")
  # A static program needs no libraries. With -p what it starts itself would have pages of another size.
  [ -z "$page" ] && kernel_runs "$qemu" / || kernel_execs=no
  [ -n "$page" ] && emulator+=(-p "$page")
  left_out+=$emulated
  left_out+=$'\n'$(not_under_qemu promises "$arch")
fi

if [ -n "$page" ]; then
  "$tools/cc" "$scripts/page_size.c" -o "$work/page_size"
  maps=yes
  seen=$("${emulator[@]}" "$work/page_size" 2>/dev/null) || maps=no
  [ "$seen" = "$page" ] || { echo "$arch: not run: under ${emulator[*]} a page has $seen bytes"; exit 0; }
  echo "$arch: sysconf(_SC_PAGESIZE) is $seen"
  "${emulator[@]}" "$program" version >/dev/null || { echo "$arch: it does not start with such pages" >&2; exit 1; }
  [ $maps = yes ] || { echo "$arch: it starts; promise tests not run: under ${emulator[*]} a map larger than its" \
                            "file does not show what the file becomes, so no buffer works there"; exit 0; }
fi

stand_in "$program" EDGEHOSE
export EDGEHOSE_TOOLS=$tools_of_tests
stand_in_later "$(dirname "$program")/edgehose_later-$arch"
run_promises "$arch${page:+, pages of $page bytes}" "${chosen[@]}"
