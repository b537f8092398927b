#!/usr/bin/env bash
# What a change must pass on other processors: every one of toolchains/ is built for, and the unit tests of arm64
# and armhf run under qemu-user.
#   ci.sh [MINUTES]    in so many minutes, 25 by default
# Ends with a line for each processor. Exit code 0: nothing failed. What a slow machine had no time for is no failure: its
# line says NOT RUN.
set -uo pipefail
cd "$(dirname "$0")/.."
source cross/arch.sh
log=$(mktemp)
trap 'rm -f "$log"' EXIT

minutes=${1:-25} tested=(arm64 armhf) summary=() failed=0
end=$((SECONDS + minutes * 60))

# within NAME COMMAND...: runs it in what is left of the time; what it said is shown where it fails. It sets took, and
# over where the time was over before its end.
within() {
  local name=$1 begun=$SECONDS code=0
  shift
  # An end of the time that is past is one second: 0 is no limit to timeout.
  timeout --kill-after=10 $((end > SECONDS ? end - SECONDS : 1)) "$@" >"$log" 2>&1 || code=$?
  took=$((SECONDS - begun))
  over=no
  [ $code -eq 0 ] && return
  tail -n 100 "$log"
  echo "$name: exit code $code after $took s; what it said last is above"
  # 124: the time was over, 137: and its end was not heeded.
  case $code in 124 | 137) over=yes ;; *) failed=1 ;; esac
  if grep -q '^== ' "$log"; then failed=1; fi  # a suite, before that
  return 1
}

# What became of the part that has not ended well.
became() { if [ $over = yes ]; then echo "NOT RUN to its end, the $minutes minutes were over"; else echo failed; fi; }

# one ARCH: builds for it and tests what is to be tested; its line of the summary.
one() {
  local built options=()
  [[ " ${tested[*]} " != *" $1 "* ]] || options+=(--tests)
  if ! within "build of $1" bash cross/build.sh "$1" "${options[@]}"; then
    summary+=("$1: build $(became)")
    return
  fi
  built="built in $took s"
  if [ ${#options[@]} -eq 0 ]; then
    summary+=("$1: $built")
  elif within "unit tests of $1" bash cross/test.sh "$1"; then
    summary+=("$(tail -n 1 "$log"), in $took s; $built")
  else
    summary+=("$1: $built; unit tests $(became)")
  fi
}

# Those that are tested first: the others take what time is left. This machine's own is what all else tests.
for arch in "${tested[@]}" $(processors); do
  [[ $arch != "$(dpkg --print-architecture)" && "${summary[*]}" != *"$arch: "* ]] || continue
  one "$arch"
done
printf '%s\n' "${summary[@]}"
[[ "${summary[*]}" == *"built in"* ]] || failed=1  # nothing at all was tried
exit $failed
