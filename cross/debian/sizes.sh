#!/usr/bin/env bash
# Prints the size of a package's program, and what the package depends on with installed sizes.
#   sizes.sh DEB [SYSROOT]    sizes as this machine's dpkg has them, or the packages of SYSROOT
set -euo pipefail
deb=$1 sysroot=${2:-}

packages() {
  if [ -n "$sysroot" ]; then
    cat "$sysroot/DEBIAN/packages"
  else
    # shellcheck disable=SC2016  # dpkg-query fills it in
    dpkg-query --show --showformat='${Package} ${Version} ${Installed-Size} ${Provides}\n'
  fi
}

# Of the package of that name, or of the first that provides it.
installed_size() {
  packages | awk -v package="$1" '
    $1 == package { own = $3 }
    index(" " $0 ", ", " " package ", ") || index($0, " " package " (") { if (!other) other = $3 }
    END { print own ? own : other }'
}

bytes=$(dpkg-deb --fsys-tarfile "$deb" | tar -xO --wildcards '*usr/bin/edgehose' | wc -c)
printf '%-32s %10d bytes\n' 'the program, stripped' "$bytes"
printf '%-32s %10d bytes\n' 'the package' "$(stat -c %s "$deb")"
printf '%-32s %10d KiB\n' 'installed' "$(dpkg-deb --field "$deb" Installed-Size)"
dpkg-deb --field "$deb" Depends | tr ',' '\n' | while read -r package version; do
  printf '  %-30s %10s KiB %s\n' "$package" "$(installed_size "$package")" "$version"
done
