#!/usr/bin/env bash
# Prints the Debian mirror that packages for other processors come from: EDGEHOSE_MIRROR where it is set,
# otherwise the one that this machine has its own packages from. Ports to all processors are on the same mirrors.
#
# Only a release itself is to be taken from it, without its updates and security updates: those arrive for one
# processor after the other, and of a package of two versions neither can be installed beside the other. Programs
# are only linked with these packages; a device has its own, with every update.
set -euo pipefail

# shellcheck disable=SC2016  # apt-get fills it in
mirror=${EDGEHOSE_MIRROR:-$(apt-get indextargets --format '$(LABEL) $(REPO_URI)' | sed -n 's/^Debian //p' | sort -u | sed 1q)}
[ -n "$mirror" ] || {
  echo "mirror: this machine's apt names no Debian mirror: run 'apt-get update', or say EDGEHOSE_MIRROR=URL" >&2
  exit 1
}
echo "$mirror"
