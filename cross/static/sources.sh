#!/usr/bin/env bash
# Fetches the sources of the linked libraries: Debian's source packages, with Debian's patches.
#   sources.sh DIR   leaves DIR/NAME/ for each library, and DIR/versions: NAME VERSION, one a line
# Does nothing, and needs no network, where DIR/versions names them all: remove it for newer sources.
# Libraries that are headers alone, and Boost's headers, come from Debian's packages (cross/install-deps.sh).
# deb-src is enabled in an apt configuration of its own under DIR. The machine's is read, never changed.
set -euo pipefail

dir=${1:?usage: sources.sh DIR}
packages=(mimalloc zlib libzstd lmdb openssl curl libdeflate simdjson fmtlib spdlog boost1.74)
[ "$(cut -d ' ' -f 1 "$dir/versions" 2>/dev/null)" = "$(printf '%s\n' "${packages[@]}")" ] && exit 0

die() { echo "sources: $*" >&2; exit 1; }
for tool in apt-get dpkg-source xz; do
  command -v $tool >/dev/null || die "$tool is missing: run 'cross/install-deps.sh --static', or build on Debian 12"
done

apt=$dir/apt
mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$dir/archives"
# The places that the machine has its Debian packages from have the sources too.
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
apt-get indextargets --format "deb-src [signed-by=$keyring] \$(REPO_URI) \$(RELEASE) \$(COMPONENT)" \
  'Identifier: Packages' 'Origin: Debian' 'Component: main' | sort -u >"$apt/sources.list"
grep -q bookworm "$apt/sources.list" ||
  die "apt knows no place with Debian 12's packages: run 'apt-get update', or add bookworm to its sources"
with=(-qq -o "Dir::Etc::SourceList=$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null
      -o "Dir::State::Lists=$apt/lists" -o "Dir::Cache=$apt/cache" -o APT::Sandbox::User=root)

apt-get "${with[@]}" update
for package in "${packages[@]}"; do
  # The newest, with security updates; the release's own where a mirror does not have that (yet).
  (cd "$dir/archives" && rm -f "${package}_"*
   apt-get "${with[@]}" source --download-only "$package" >/dev/null ||
     { echo "sources: $package as it was released, without later updates" >&2
       rm -f "${package}_"*.dsc
       apt-get "${with[@]}" source --download-only "$package/bookworm" >/dev/null; }) ||
    die "the source of $package could not be fetched: see above; another mirror in apt's sources may have it"
done

: >"$dir/versions.new"
for package in "${packages[@]}"; do
  dsc=$(echo "$dir/archives/$package"_*.dsc)
  rm -rf "${dir:?}/$package"
  if [ "$package" = boost1.74 ]; then  # 15,000 files, of which one library's are needed
    mkdir "$dir/$package"
    tar -xf "$(echo "$dir/archives/$package"_*.orig.tar.*)" -C "$dir/$package" --strip-components=1 \
      --wildcards '*/libs/program_options/src/*' '*/LICENSE_1_0.txt'
    cp "$dir/$package/LICENSE_1_0.txt" "$dir/$package/copyright"
  else
    dpkg-source --no-check -x "$dsc" "$dir/$package" >/dev/null 2>"$dir/unpack.log" ||
      die "$dsc could not be unpacked: $(tail -n 1 "$dir/unpack.log")"
    rm -f "$dir/$package"_*.orig*  # dpkg-source's own copies
    cp "$dir/$package/debian/copyright" "$dir/$package/copyright"
  fi
  echo "$package $(sed -n 's/^Version: //p' "$dsc" | head -n 1)" >>"$dir/versions.new"
done
rm -rf "$apt" "$dir/unpack.log"
mv "$dir/versions.new" "$dir/versions"
