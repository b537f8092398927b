#!/usr/bin/env bash
# The quick start from source: installs what a build needs, builds edgehose and runs `edgehose demo`: a
# log of 200,000 lines that is written and rotated meanwhile, through a kill -9, into compressed and
# encrypted objects. What the demo proves with code of its own is proved once more with age and zstd
# alone: what arrived is compared with the log that was written, byte for byte.
#
#   bash agent/quickstart.sh            on a fresh Debian 12, as root or as a user with sudo
#   bash agent/quickstart.sh --keep     keeps the directory: config, log, buffer, objects, key
#   bash agent/quickstart.sh --agent FILE [--lines N]   with a binary that is there
#
# Exit code 0: every line arrived exactly once.
set -euo pipefail
export LC_ALL=C
script=$(realpath "$0")

keep=no agent='' lines=()
while [ $# -gt 0 ]; do
  case $1 in
    --keep) keep=yes ;;
    --agent) agent=$(realpath "${2:?--agent wants a file}"); shift ;;
    --lines) lines=(--lines "${2:?--lines wants a number}"); shift ;;
    *) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$script"; [ "$1" = --help ] && exit 0 || exit 2 ;;
  esac
  shift
done
cd "$(dirname "$script")/.."

dir=$(mktemp -d "${TMPDIR:-/var/tmp}/edgehose-quickstart.XXXXXX")
cleanup() {
  local code=$?
  if [ $keep = yes ]; then
    printf '\nKept: %s\n' "$dir"
  else
    rm -rf "$dir"
  fi
  exit $code
}
trap cleanup EXIT
trap 'exit 130' INT TERM

commas() { printf "%s" "$1" | sed ':a; s/\([0-9]\)\([0-9]\{3\}\)\($\|,\)/\1,\2\3/; ta'; }
row() { printf '    %-28s %14s\n' "$1" "$(commas "$2")"; }
give_up() {
  printf '\n%s\n' "$1" >&2
  exit 1
}

# ---- packages and build ---------------------------------------------------------------------------

if [ -z "$agent" ]; then
  printf 'edgehose quick start\n\n  Packages ... '
  bash cross/install-deps.sh >"$dir/packages.log" 2>&1 || { cat "$dir/packages.log"; give_up "The packages could not be installed."; }
  printf 'there.\n  Build (Release, %s cores; the first time takes some minutes, more on a small board) ... ' "$(nproc)"
  SECONDS=0
  {
    fresh=(); [ -f build/CMakeCache.txt ] || fresh=(-G Ninja)
    launcher=(); command -v ccache >/dev/null && launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
    cmake -S . -B build "${fresh[@]}" "${launcher[@]}" -DCMAKE_BUILD_TYPE=Release -DCMAKE_UNITY_BUILD=ON &&
      cmake --build build --target edgehose --parallel "$(nproc)"
  } >"$dir/build.log" 2>&1 || { tail -n 30 "$dir/build.log"; give_up "The build failed."; }
  printf '%s s.\n\n' "$SECONDS"
  agent=$PWD/build/agent/edgehose
fi

# ---- the demo, and the same proof with standard tools ---------------------------------------------

TMPDIR=$dir "$agent" demo --keep "${lines[@]}" || { keep=yes; give_up 'The demo failed.'; }
demo=$(echo "$dir"/edgehose-demo.*)

find "$demo/objects" -type f ! -name '.*' | sort | while read -r object; do
  age -d -i "$demo/identity.txt" "$object" | zstd -dcq
done >"$dir/arrived"
cat "$demo"/log/app.log* >"$dir/logged"
for side in logged arrived; do sort "$dir/$side" >"$dir/$side.sorted"; done
missing=$(comm -23 "$dir/logged.sorted" "$dir/arrived.sorted" | wc -l)
doubled=$(comm -13 "$dir/logged.sorted" "$dir/arrived.sorted" | wc -l)

printf '\n  Once more with standard tools, age, zstd, sort and comm:\n\n'
row 'lines logged' "$(wc -l <"$dir/logged")"
row 'lines arrived' "$(wc -l <"$dir/arrived")"
row 'missing' "$missing"
row 'arrived twice, or changed' "$doubled"

if [ "$missing" -ne 0 ] || [ "$doubled" -ne 0 ] || [ ! -s "$dir/logged" ]; then
  keep=yes
  give_up '  Not every line arrived exactly once: this is a defect.'
fi
printf '\n  Every line arrived exactly once.\n'
if [ "$agent" = "$PWD/build/agent/edgehose" ]; then
  printf '\n  The program is build/agent/edgehose. What next: README.md, "Set it up".\n'
fi
if [ $keep = no ]; then
  printf '  What the demo kept is removed now; --keep leaves it.\n'
fi
