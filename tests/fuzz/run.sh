#!/usr/bin/env bash
# Fuzzes each target for some time, in build-fuzz/ (preset "fuzz").
#   run.sh SECONDS [TARGET...]
# Ends with 1 where a target finds something: its input is in build-fuzz/findings/TARGET, to be mended, and then
# kept in tests/fuzz/corpus/TARGET.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:?"run.sh SECONDS [TARGET...]"}
shift
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(cd tests/fuzz && ls -- *.cpp | sed 's/\.cpp$//' | grep -vx -e engine -e replay)

failed=()
for target in "${targets[@]}"; do
  corpus=build-fuzz/corpus/$target findings=build-fuzz/findings/$target
  program=build-fuzz/tests/fuzz/fuzz_$target
  [ -x "$program" ] || { echo "fuzz: $program is not there: cmake --preset fuzz && cmake --build --preset fuzz" >&2; exit 2; }
  mkdir -p "$corpus" "$findings"
  kept=()
  [ -d "tests/fuzz/corpus/$target" ] && kept=("tests/fuzz/corpus/$target")
  echo "== $target, $seconds s"
  EDGEHOSE_SEEDS=$corpus "$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=8192 \
    -print_final_stats=1 -artifact_prefix="$findings/" "$corpus" "${kept[@]}" 2>&1 | grep -E 'stat::|ERROR|fuzz:|SUMMARY' || true
  [ -z "$(ls -A "$findings")" ] || failed+=("$target")
done
[ ${#failed[@]} -eq 0 ] || { echo "found something: ${failed[*]}"; exit 1; }
