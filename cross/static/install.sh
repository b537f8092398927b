#!/bin/sh
# Installs edgehose from this folder on any Linux, and takes it away again. Needs root, and no more than busybox.
#   install.sh                program, service, user and a proposed config; what is configured is left alone
#   install.sh --uninstall    takes away what it installed; config, credentials and buffer stay
#   install.sh --purge        takes those away too, with what the buffer still holds; the user stays, so that
#                             no other one gets its number and its files
# Run it again to upgrade. The service is for what is there: systemd, OpenRC or OpenWrt's procd; it is neither
# enabled nor started, as the config has to be written first.
set -eu
umask 022

program=/usr/bin/edgehose
config=/etc/edgehose
state=/var/lib/edgehose
systemd=/etc/systemd/system
user=edgehose
share=/usr/share

say() { echo "edgehose: $*"; }
die() { echo "edgehose: $*" >&2; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }
here=$(cd "$(dirname "$0")" && pwd)

# Which of them runs services here. None: the program alone is installed.
init_system() {
  if [ -d /run/systemd/system ] || [ -x /lib/systemd/systemd ] || [ -x /usr/lib/systemd/systemd ]; then
    echo systemd
  elif [ -x /sbin/procd ] && [ -e /etc/rc.common ]; then
    echo procd
  elif [ -x /sbin/openrc-run ]; then
    echo openrc
  else
    echo none
  fi
}

# put MODE FILE PLACE: whole or not at all, also where the old one runs. sync: a name may reach the disk before
# what it names.
put() {
  mkdir -p "$(dirname "$3")"
  cp "$2" "$3.new" || { rm -f "$3.new"; die "$3 could not be written: is there room for it?"; }
  chmod "$1" "$3.new"
  sync
  mv "$3.new" "$3"
}

user_is_there() { grep -q "^$user:" /etc/passwd 2>/dev/null; }
group_is_there() { grep -q "^$1:" /etc/group 2>/dev/null; }

# A system account without a password, a shell or a home.
make_user() {
  user_is_there && return
  if has useradd; then
    useradd --system --user-group --no-create-home --home-dir "$state" --shell /sbin/nologin "$user"
  elif has adduser && adduser --help 2>&1 | grep -qi busybox; then
    group_is_there $user || addgroup -S $user
    adduser -S -D -H -h "$state" -s /sbin/nologin -G $user $user
  else
    make_user_by_hand
  fi
  user_is_there || die "the user '$user' could not be made: make it by hand, then run this again"
  say "made the system user '$user'"
}

# OpenWrt has no tool for it: the first number below those of people that is free.
make_user_by_hand() {
  id=990
  while grep -q "^[^:]*:[^:]*:$id:" /etc/passwd /etc/group; do id=$((id - 1)); done
  group_is_there $user || append "$user:x:$id:" /etc/group
  group=$(sed -n "s/^$user:[^:]*:\([0-9]*\):.*/\1/p" /etc/group)
  append "$user:x:$id:$group:edgehose:$state:/bin/false" /etc/passwd
  if [ -e /etc/shadow ]; then append "$user:!:0:0:99999:7:::" /etc/shadow; fi
}

# append LINE FILE: also where its last line has no end.
append() {
  if [ -n "$(tail -c 1 "$2")" ]; then echo >>"$2"; fi
  echo "$1" >>"$2"
}

is_member() { grep "^$1:" /etc/group | cut -d : -f 4 | tr , '\n' | grep -qx "$user"; }

# The groups that logs belong to, where they are.
join_groups() {
  for group in adm systemd-journal; do
    if ! group_is_there $group || is_member $group; then continue; fi
    if has usermod; then usermod -a -G $group $user
    elif has addgroup; then addgroup $user $group >/dev/null
    else
      cp -p /etc/group /etc/group.new
      sed "/^$group:/{s/[^:]\$/&,/;s/\$/$user/;}" /etc/group >/etc/group.new
      mv /etc/group.new /etc/group
    fi
    is_member $group || say "the user '$user' could not join the group $group: its logs may be closed to it"
  done
}

install_service() {
  case $1 in
    systemd)
      put 644 "$here/init/edgehose.service" "$systemd/edgehose.service"
      if [ -d /run/systemd/system ]; then systemctl daemon-reload || true; fi
      next="systemctl enable --now edgehose" again="systemctl restart edgehose" ;;
    openrc)
      put 755 "$here/init/edgehose.openrc" /etc/init.d/edgehose
      next="rc-update add edgehose && rc-service edgehose start" again="rc-service edgehose restart" ;;
    procd)
      put 755 "$here/init/edgehose.procd" /etc/init.d/edgehose
      next="/etc/init.d/edgehose enable && /etc/init.d/edgehose start" again="/etc/init.d/edgehose restart" ;;
    none)
      next="edgehose run   (as user $user; no systemd, OpenRC or procd was found)"
      again="end it, and start it as before" ;;
  esac
}

# Whether an agent runs here, of the program that was replaced.
runs() {
  for link in /proc/[0-9]*/exe; do
    case $(readlink "$link" 2>/dev/null) in "$program" | "$program (deleted)") return 0 ;; esac
  done
  return 1
}

stop_service() {
  if [ -e "$systemd/edgehose.service" ] && [ -d /run/systemd/system ]; then
    systemctl disable --now edgehose >/dev/null 2>&1 || true
  fi
  if [ -e /etc/init.d/edgehose ]; then
    /etc/init.d/edgehose stop >/dev/null 2>&1 || true
    if has rc-update; then rc-update delete edgehose >/dev/null 2>&1 || true
    else /etc/init.d/edgehose disable >/dev/null 2>&1 || true
    fi
  fi
}

# Config and directories; what is there is left as it is.
install_config() {
  if [ -e "$config/edgehose.toml" ]; then
    say "$config/edgehose.toml is left as it is"
  else
    # What this device has to read; where it goes is for a person to say.
    mkdir -p "$config/credentials"
    "$program" config example >"$config/edgehose.toml.new"
    sync
    mv "$config/edgehose.toml.new" "$config/edgehose.toml"
    chown "root:$user" "$config/edgehose.toml" "$config/credentials"
    chmod 640 "$config/edgehose.toml"
    chmod 750 "$config/credentials"
  fi
  mkdir -p "$state"
  chown "$user:$user" "$state"
  chmod 750 "$state"
}

# Pages, completions and systemd's drop-ins.
install_share() {
  (cd "$here/share" && find . -type f) | while read -r file; do
    mkdir -p "$(dirname "$share/$file")"
    cp "$here/share/$file" "$share/$file"
    chmod 644 "$share/$file"
  done
}

remove_share() {
  rm -rf "$share/edgehose" "$share/doc/edgehose"
  rm -f "$share"/man/man1/edgehose.1.gz "$share"/man/man1/edgehose-*.1.gz "$share/man/man5/edgehose.toml.5.gz" \
    "$share/bash-completion/completions/edgehose" "$share/zsh/vendor-completions/_edgehose" \
    "$share/fish/vendor_completions.d/edgehose.fish"
}

no_package() {
  ! grep -qx "$program" /var/lib/dpkg/info/edgehose.list 2>/dev/null ||
    die "edgehose is here as a Debian package, which has the same files: apt-get remove edgehose comes first"
}

# On OpenWrt /var is /tmp, where anybody may have been first: nothing is given away through a link.
own_parent() {
  parent=$(dirname "$state")
  mkdir -p "$parent"
  if [ -z "$(find "$parent" -prune -user 0)" ] || [ ! -O "$parent" ]; then
    die "$parent is not root's, or a link of another's: put it right, for the buffer's directory is made there"
  fi
}

# Of a package that was removed dpkg still has the config: to purge it later would delete that, and turn off the service.
take_over() {
  has dpkg-query || return 0
  [ "$(dpkg-query -W -f '${db:Status-Status}' edgehose 2>/dev/null)" = config-files ] || return 0
  say "purging what dpkg still has of the package that was removed; config and buffer stay"
  mkdir -p "$config"
  if [ -e "$config/edgehose.toml" ]; then cp -p "$config/edgehose.toml" "$config/edgehose.toml.kept"; fi
  dpkg --purge edgehose
  if [ -e "$config/edgehose.toml.kept" ]; then mv "$config/edgehose.toml.kept" "$config/edgehose.toml"; fi
}

install_all() {
  no_package
  own_parent
  [ -x "$here/bin/edgehose" ] || die "bin/edgehose is not beside this script: unpack the whole archive"
  "$here/bin/edgehose" version >/dev/null ||
    die "bin/edgehose does not run here: this archive is for another processor ($(uname -m) is this one)"
  put 755 "$here/bin/edgehose" "$program"
  take_over  # with the program there, the package leaves the buffer
  make_user
  join_groups
  install_config
  init=$(init_system)
  install_service "$init"
  [ "$init" = procd ] || install_share  # nobody reads pages on OpenWrt, and its flash is small
  sync
  if runs; then
    say "installed $("$program" version | head -n 1). The one before it runs on until it is started anew: $again"
    return
  fi
  say "installed $("$program" version | head -n 1). Write $config/edgehose.toml, then:"
  say "  edgehose check"
  say "  $next"
}

uninstall() {
  no_package
  stop_service
  rm -f "$program" "$systemd/edgehose.service" /etc/init.d/edgehose
  remove_share
  if [ -d /run/systemd/system ]; then systemctl daemon-reload || true; fi
}

# Where the buffer's directory is a disk of its own, it stays, empty.
purge() {
  for folder in "$config" "$state"; do
    real=$(cd "$folder" 2>/dev/null && pwd -P) || continue
    ! grep -q " $real/" /proc/mounts 2>/dev/null ||
      die "something is mounted below $folder, and would be deleted: unmount it first"
  done
  uninstall
  rm -rf "$config" /run/edgehose
  rm -rf "$state" 2>/dev/null || rm -rf "${state:?}"/* "$state"/.[!.]*
}

[ $# -le 1 ] || die "one option at most: see the head of this script"
case ${1:-} in
  "" | --uninstall | --purge) [ "$(id -u)" -eq 0 ] || die "needs root: run it with sudo" ;;
esac
case ${1:-} in
  "") install_all ;;
  --uninstall) uninstall; say "taken away; $config and $state are still there" ;;
  --purge) purge; say "taken away, with its config and its buffer; the user '$user' stays" ;;
  --help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" ;;
  *) die "$1 is unknown: --uninstall, --purge, --help, or nothing" ;;
esac
