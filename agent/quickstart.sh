#!/usr/bin/env bash
# The quick start: builds edgehose and shows it at work on a log of 200,000 lines that is written and
# rotated meanwhile, through a kill -9, into compressed and encrypted objects in a directory; then
# compares what arrived with what was logged, byte for byte, with age and zstd alone.
#
#   bash agent/quickstart.sh            on a fresh Debian 12, as root or as a user with sudo
#   bash agent/quickstart.sh --keep     keeps the directory: config, log, buffer, objects, key
#   bash agent/quickstart.sh --agent FILE [--generator FILE] [--lines N]   with binaries that are there
#
# Exit code 0: every line arrived exactly once.
set -euo pipefail
export LC_ALL=C
script=$(realpath "$0")

keep=no agent='' generator='' lines=200000
while [ $# -gt 0 ]; do
  case $1 in
    --keep) keep=yes ;;
    --agent) agent=$(realpath "$2"); shift ;;
    --generator) generator=$(realpath "$2"); shift ;;
    --lines) lines=${2:?--lines wants a number}; shift ;;
    *) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$script"; [ "$1" = --help ] && exit 0 || exit 2 ;;
  esac
  shift
done
cd "$(dirname "$script")/.."
rate=$((lines / 10))

dir=$(mktemp -d "${TMPDIR:-/var/tmp}/edgehose-quickstart.XXXXXX")
background=()
cleanup() {
  local code=$?
  for pid in "${background[@]}"; do kill "$pid" 2>/dev/null || true; done
  [ -s "$dir/agent.pid" ] && kill "$(cat "$dir/agent.pid")" 2>/dev/null || true
  wait 2>/dev/null || true
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
size() { awk -v b="$1" 'BEGIN { split("B KiB MiB GiB", u); for (i = 1; b >= 1024 && i < 4; ++i) b /= 1024
                                printf (i == 1 ? "%d %s" : "%.1f %s"), b, u[i] }'; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { if (b > 0) printf "%.2f", a / b; else printf "-" }'; }
say() { printf '  %02d:%02d  %s\n' $(((SECONDS - begin) / 60)) $(((SECONDS - begin) % 60)) "$1"; }
more() { printf '         %s\n' "$1"; }
row() { printf '    %-28s %14s%s\n' "$1" "$2" "${3:+  $3}"; }
give_up() {
  printf '\n%s\n' "$1" >&2
  [ -s "$dir/agent.log" ] && { echo "The agent's last lines:"; tail -n 15 "$dir/agent.log"; } >&2
  exit 1
}

# ---- packages and build ---------------------------------------------------------------------------

printf 'edgehose quick start: %s log lines, through a crash, each exactly once\n\n' "$(commas "$lines")"
if [ -z "$agent" ]; then
  printf '  Packages ... '
  bash cross/install-deps.sh >"$dir/packages.log" 2>&1 || { cat "$dir/packages.log"; give_up "The packages could not be installed."; }
  printf 'there.\n  Build (Release, %s cores; the first time takes minutes, five on a small board) ... ' "$(nproc)"
  SECONDS=0
  {
    fresh=(); [ -f build/CMakeCache.txt ] || fresh=(-G Ninja)
    launcher=(); command -v ccache >/dev/null && launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
    cmake -S . -B build "${fresh[@]}" "${launcher[@]}" -DCMAKE_BUILD_TYPE=Release &&
      cmake --build build --target edgehose --parallel "$(nproc)"
  } >"$dir/build.log" 2>&1 || { tail -n 30 "$dir/build.log"; give_up "The build failed."; }
  printf '%s s.\n\n' "$SECONDS"
  agent=$PWD/build/agent/edgehose
fi
if [ -z "$generator" ]; then
  generator=$dir/gateway_log
  g++ -std=c++20 -O1 -I. tests/support/gateway_log.cpp tests/support/gateway_line.cpp -o "$generator"
fi

# ---- the config a user would write ----------------------------------------------------------------

mkdir "$dir/log" "$dir/buffer" "$dir/objects"
"$agent" key new --age --output "$dir/identity.txt" >"$dir/public-key" 2>&1 || give_up '"edgehose key new" failed.'
recipient=$(grep -oh 'age1[a-z0-9]*' "$dir/public-key" "$dir/identity.txt" | head -n 1)

cat >"$dir/edgehose.toml" <<TOML
[agent]
id       = "quickstart"
data_dir = "$dir/buffer"

[sources.app]
type  = "file"
paths = ["$dir/log/app.log*"]

[sinks.archive]
type        = "directory"
path        = "$dir/objects"
prefix      = "!{timestamp:yyyy/MM/dd/HH}/"
compression = "zstd"
batch       = { max_size = "256KiB", max_age = "1s" }
encrypt     = { age = ["$recipient"] }
TOML

# One life of the agent, in a shell of its own: the kernel adds what a process wrote to the account
# of the parent that waited for it, so the figure also holds for one that was killed.
life() {
  "$agent" run "$@" --config "$dir/edgehose.toml" >>"$dir/agent.log" 2>&1 &
  echo $! >"$dir/agent.pid"
  local code=0
  wait $! 2>/dev/null || code=$?
  awk '/^write_bytes/ { print $2 }' "/proc/$BASHPID/io" >>"$dir/written"
  rm -f "$dir/agent.pid"
  return $code
}
start() {
  life & life=$!
  background+=($life)
  until [ -s "$dir/agent.pid" ]; do sleep 0.01; done
}
still_there() { kill -0 "$(cat "$dir/agent.pid" 2>/dev/null || echo 0)" 2>/dev/null && [ -s "$dir/agent.pid" ]; }

# ---- the run --------------------------------------------------------------------------------------

SECONDS=0 begin=0
say "A gateway starts logging: $(commas $rate) lines a second, rotated every $(commas $((lines / 7))) lines."
"$generator" --output "$dir/log/app.log" --lines "$lines" --rate "$rate" --rotate rename \
  --rotate-lines $((lines / 7)) >"$dir/generator.out" &
writer=$!
background+=($writer)
until [ -e "$dir/log/app.log" ]; do sleep 0.01; done

say 'edgehose follows the log into its buffer on disk (LMDB). What is safe there leaves it,'
more 'compressed (zstd) and encrypted to a public key (age), as objects in a directory.'
start
sleep 5

still_there || give_up 'The agent ended by itself.'
kill -9 "$(cat "$dir/agent.pid")"
wait $life 2>/dev/null || true
say "kill -9: the agent is gone, in the middle of everything. The gateway logs on."
sleep 1
start
say 'edgehose is started again, and goes on where the buffer says it was.'

wait $writer || give_up 'The generator failed.'
say 'The gateway is done. The agent is told to stop, and stops at once: nothing needs rushing,'
more 'what it has is safe. The last start, "run --once", delivers what is left and ends.'
still_there || give_up 'The agent ended by itself.'
kill "$(cat "$dir/agent.pid")"
wait $life || give_up 'The agent did not stop cleanly.'
( life --once --timeout 60s ) || give_up '"edgehose run --once" did not deliver everything.'
took=$SECONDS

# ---- the proof, with standard tools ---------------------------------------------------------------

find "$dir/objects" -type f ! -name '.*' | sort >"$dir/object-names"
while read -r object; do
  age -d -i "$dir/identity.txt" "$object" | zstd -dcq
done <"$dir/object-names" >"$dir/arrived"
cat "$dir"/log/app.log* >"$dir/logged"
for side in logged arrived; do sort "$dir/$side" >"$dir/$side.sorted"; done
missing=$(comm -23 "$dir/logged.sorted" "$dir/arrived.sorted" | wc -l)
doubled=$(comm -13 "$dir/logged.sorted" "$dir/arrived.sorted" | wc -l)

bytes=$(stat -c %s "$dir/logged")
delivered=$(tr '\n' '\0' <"$dir/object-names" | xargs -0 -r stat -c %s | awk '{ n += $1 } END { print n + 0 }')
written=$(awk '{ n += $1 } END { print n + 0 }' "$dir/written")

printf '\n  Decrypted with age, decompressed with zstd, compared with the log byte for byte:\n\n'
row 'lines logged' "$(commas "$(wc -l <"$dir/logged")")"
row 'lines arrived' "$(commas "$(wc -l <"$dir/arrived")")"
row 'missing' "$(commas "$missing")"
row 'arrived twice, or changed' "$(commas "$doubled")"
echo
row 'the log' "$(size "$bytes")"
row 'delivered' "$(size "$delivered")" "in $(wc -l <"$dir/object-names") objects, $(ratio "$bytes" "$delivered") times smaller than the log"
if [ "$written" -gt 0 ]; then
  row 'written to disk by edgehose' "$(size "$written")" "buffer and objects; $(ratio "$written" "$bytes") bytes for each byte of log"
else
  row 'written to disk by edgehose' '-' "$dir is in memory"
fi
row 'time' "$took s" 'the gateway logs for 10 s of it'
echo

if [ "$missing" -eq 0 ] && [ "$doubled" -eq 0 ] && [ "$(wc -l <"$dir/logged")" -eq "$lines" ]; then
  echo '  Every line arrived exactly once.'
  if [ "$agent" = "$PWD/build/agent/edgehose" ]; then
    printf '\n  The program is build/agent/edgehose. What next: README.md, "Set it up".\n'
  fi
else
  keep=yes
  give_up '  Not every line arrived exactly once: this is a defect.'
fi
