#!/usr/bin/env bash
# Builds the Debian package: a release, stripped, packed, looked at by lintian.
#   package.sh                     for this machine, in build-package/
#   package.sh BUILD_DIR           of a build folder that is configured, native or cross
#   package.sh BUILD_DIR OUT_DIR   the package into OUT_DIR rather than packages/
# Installs what it needs. Leaves edgehose_VERSION_ARCH.deb in the output folder. Ends with 1 where lintian has
# errors or warnings, or where the packed program is this machine's and its demo fails. Prints the program's
# size, and what it depends on with installed sizes.
set -euo pipefail
top=$(realpath "$(dirname "$0")/..")
build=$(realpath -m "${1:-$top/build-package}")
out=$(realpath -m "${2:-$top/packages}")

bash "$top/cross/install-deps.sh" --packages
if [ ! -f "$build/CMakeCache.txt" ]; then
  cmake -S "$top" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_UNITY_BUILD=ON >/dev/null
fi
kind=$(sed -n 's/^CMAKE_BUILD_TYPE:[A-Z]*=//p' "$build/CMakeCache.txt")
[ "$kind" = Release ] ||
  echo "package: $build is configured as $kind: what is shipped is a Release" >&2
cmake --build "$build" --parallel "$(nproc)"

mkdir -p "$out"
packed=$(mktemp -d)
trap 'rm -rf "$packed"' EXIT
(cd "$build" && cpack -G DEB -B "$packed" >"$packed/log") || {
  cat "$packed/log" >&2
  exit 1
}
deb=$(find "$packed" -maxdepth 1 -name '*.deb')

as_root=()
[ "$(id -u)" -eq 0 ] && as_root=(--allow-root)
lintian "${as_root[@]}" --fail-on error,warning --display-info --tag-display-limit 0 "$deb"
echo "lintian: no errors, no warnings"

# What is shipped runs: a Release is another program than the one that the tests run (identical code is folded).
if [ "$(dpkg-deb --field "$deb" Architecture)" = "$(dpkg --print-architecture)" ]; then
  dpkg-deb --extract "$deb" "$packed/root"
  (cd "$packed" && env -i PATH="$PATH" TMPDIR="$packed" root/usr/bin/edgehose demo >"$packed/log" 2>&1) || {
    cat "$packed/log" >&2
    echo "package: edgehose demo fails with the packed program; what it said is above" >&2
    exit 1
  }
  echo "edgehose demo: every line arrived once"
fi

mv "$deb" "$out/"
bash "$top/cross/debian/sizes.sh" "$out/$(basename "$deb")" \
  "$(sed -n 's/^set(CPACK_EDGEHOSE_SYSROOT "\(.*\)")$/\1/p' "$build/CPackConfig.cmake")"
echo "$out/$(basename "$deb")"
