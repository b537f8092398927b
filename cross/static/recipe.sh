# shellcheck shell=bash
# What the recipes of libraries/ share; sourced by libraries.sh for one library: library, tree (its source), build, prefix.

# archive NAME FLAGS... -- FILE...: compiles each file and makes lib/libNAME.a of them.
archive() {
  local name=$1 flags=() objects=$build/objects
  shift
  while [ "$1" != -- ]; do flags+=("$1"); shift; done
  shift
  mkdir -p "$objects"
  printf '%s\0' "$@" | xargs -0 -n 1 -P "$jobs" "$BASH" -c '
    objects=$0 source=${!#} tool=$CC
    case $source in *.cpp | *.cc) tool=$CXX ;; esac
    object=$(basename "$(dirname "$source")")-$(basename "$source").o  # two may have one name
    exec "$tool" -ffunction-sections -fdata-sections -c "${@:1:$#-1}" "$source" -o "$objects/$object"
  ' "$objects" "${flags[@]}"
  rm -f "$prefix/lib/lib$name.a"
  "$AR" rcs "$prefix/lib/lib$name.a" "$objects"/*.o
}

# package NAME: what pkg-config is asked for.
package() {
  local version
  version=$(sed -n "s/^$library \([0-9]*:\)\{0,1\}\([0-9.]*[0-9]\).*/\2/p" "$sources/versions")
  printf 'Name: %s\nDescription: static\nVersion: %s\nLibs: -L%s/lib -l%s\nCflags: -I%s/include\n' \
    "$1" "$version" "$prefix" "${1#lib}" "$prefix" >"$prefix/lib/pkgconfig/$1.pc"
}

# cmake_library OPTION...: for those whose package files for CMake are needed.
cmake_library() {
  EDGEHOSE_STATIC_ARCH=$arch EDGEHOSE_STATIC_CACHE=$cache cmake -S "$tree" -B "$build" -G Ninja \
    -DCMAKE_TOOLCHAIN_FILE="$scripts/zig.cmake" -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_INSTALL_LIBDIR=lib \
    -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF "$@"
  ninja -C "$build" -j "$jobs" install
}

# imported NAME LINES...: the package file that CMake's find_package(NAME) asks for, of lib/libNAME.a.
imported() {
  local name=$1
  mkdir -p "$prefix/lib/cmake/$name"
  {
    echo "add_library($name::$name STATIC IMPORTED)"
    echo "set_target_properties($name::$name PROPERTIES IMPORTED_LOCATION \"$prefix/lib/lib$name.a\""
    printf '  %s\n' "INTERFACE_INCLUDE_DIRECTORIES \"$prefix/include\"" "${@:2}" ')'
  } >"$prefix/lib/cmake/$name/$name-config.cmake"
}
