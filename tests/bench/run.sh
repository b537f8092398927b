#!/usr/bin/env bash
# Builds (Release, build-bench/) and measures; prints the table of README.md.
#   bash tests/bench/run.sh            1 GB of log, about half an hour (most of it: ten lines a second)
#   bash tests/bench/run.sh --quick    128 MB, about five minutes; as root a quarter of an hour
#   bash tests/bench/run.sh --help     what can be chosen
# Bytes written to the device need root: the buffer then lies on a loop device of its own.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=build-bench

case " $* " in *" --agent "* | *" --help "*) ;; *)
  bash cross/install-deps.sh --tests
  generator=()
  [ -f $build/CMakeCache.txt ] || generator=(-G Ninja)
  launcher=()
  command -v ccache >/dev/null && launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
  cmake -S . -B $build "${generator[@]}" "${launcher[@]}" -DEDGEHOSE_TESTS=ON -DCMAKE_BUILD_TYPE=Release >/dev/null
  cmake --build $build --parallel "$(nproc)" --target edgehose gateway_log check_lines bench_limits >/dev/null
  set -- --agent $build/agent/edgehose --tools $build/tests "$@" ;;
esac
exec python3 tests/bench/bench.py "$@"
