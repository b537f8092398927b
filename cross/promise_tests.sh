# For scripts that run promise tests with another build of the program, sourced. The scripts of the tests run
# on this machine, the programs that they start under the emulator. The caller has set
#   emulator   the command that runs a program of that build: an array, empty where the machine does it itself
#   work       a folder of its own
#   left_out   what is not run, a line each: FILE or FILE.test_NAME, and why
promise_scripts=$(dirname "$(realpath "${BASH_SOURCE[0]}")")

# kernel_runs QEMU SYSROOT: lets this machine's kernel run programs of another processor by their name, with the
# libraries of that sysroot. Exit code 1: it cannot.
kernel_runs() {
  export QEMU_LD_PREFIX=$2
  bash "$promise_scripts/binfmt.sh" "$1"
}

# not_under_qemu KIND ARCH: the lines of not_under_qemu.txt for a processor, as left_out wants them. Those of the
# kind KIND-exec only where kernel_execs is not "yes".
not_under_qemu() {
  awk -v kind="$1" -v arch="$2" -v execs="${kernel_execs:-no}" '
    ($1 == kind || execs != "yes" && $1 == kind "-exec") && ($2 == "all" || index("," $2 ",", "," arch ",")) {
    $1 = $2 = ""; sub(/^ */, ""); print }' "$promise_scripts/not_under_qemu.txt"
}

# stand_in PROGRAM [VARIABLE]: a script of its name in the place of a program; VARIABLE tells the tests of it.
# What they start, kill and wait for is the emulator itself.
stand_in() {
  local script
  script=$work/$(basename "$1")
  printf '#!/bin/sh\nexec %s "%s" "$@"\n' "${emulator[*]}" "$1" >"$script"
  chmod +x "$script"
  [ -z "${2:-}" ] || export "$2=$script"
}

# stand_in_later PROGRAM: the same for the build of the next format, which upgrade.py wants.
stand_in_later() {
  if [ -x "$1" ]; then stand_in "$1" EDGEHOSE_LATER; else left_out+=$'\nupgrade edgehose_later is not built'; fi
}

# promise_names NAME...: a line FILE.test_NAME for each test of FILE, or for the one that is named so.
promise_names() {
  local name file tests
  for name in "$@"; do
    file=$promise_scripts/../tests/promises/${name%%.*}.py
    [ -f "$file" ] || { echo "test: there is no ${name%%.*}.py in tests/promises" >&2; return 2; }
    tests=$(sed -n 's/^    def \(test_[a-z0-9_]*\).*/\1/p' "$file")
    if [[ $name == *.* ]]; then
      grep -qxF -e "${name#*.}" <<<"$tests" ||
        { echo "test: there is no ${name#*.} in tests/promises/${name%%.*}.py" >&2; return 2; }
      tests=${name#*.}
    fi
    sed "s/^/${name%%.*}./" <<<"$tests"
  done
}

# why_left_out FILE.test_NAME: why, or exit code 1.
why_left_out() {
  awk -v file="${1%%.*}" -v full="$1" '$1 == file || $1 == full { $1 = ""; print; found = 1; exit }
    END { exit !found }' <<<"${left_out:-}"
}

# run_promises WHO NAME...: runs them, ends with a line that begins with WHO. Exit code 0: none failed and one
# passed at least; 2: a name that there is not.
run_promises() {
  local who=$1 names full why passed=0 skipped=0 failed=()
  shift
  names=$(promise_names "$@") || return 2
  for full in $names; do
    if why=$(why_left_out "$full"); then
      echo "skipped $full:$why"
      skipped=$((skipped + 1))
    elif ! timeout 600 python3 "$promise_scripts/../tests/promises/${full%%.*}.py" "Promise.${full#*.}" >"$work/log" 2>&1; then
      failed+=("$full")
      echo "failed $full:"
      tail -n 30 "$work/log"
    elif grep -q '^OK (skipped' "$work/log"; then
      echo "skipped $full: by itself"
      skipped=$((skipped + 1))
    else
      passed=$((passed + 1))
    fi
  done
  echo "$who: $passed promise tests passed, $skipped skipped, ${#failed[@]} failed${failed[*]:+: ${failed[*]}}"
  [ ${#failed[@]} -eq 0 ] && [ $passed -gt 0 ]
}
