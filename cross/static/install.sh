#!/bin/sh
# Installs edgehose from this folder on any Linux, and takes it away again. Needs root, and no more than busybox.
#   install.sh                program, service, user and a proposed config; what is configured is left alone
#   install.sh --uninstall    takes away what it installed; config, credentials and buffer stay
#   install.sh --purge        takes those away too, with what the buffer still holds
# Run it again to upgrade. The service is for what is there: systemd, OpenRC or OpenWrt's procd; it is neither
# enabled nor started, as the config has to be written first.
set -eu

program=/usr/bin/edgehose
config=/etc/edgehose
state=/var/lib/edgehose
systemd=/etc/systemd/system
user=edgehose
man=/usr/local/share/man

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

# put MODE FILE PLACE: whole or not at all, also where the old one runs.
put() {
  mkdir -p "$(dirname "$3")"
  cp "$2" "$3.new"
  chmod "$1" "$3.new"
  mv "$3.new" "$3"
}

user_is_there() { grep -q "^$user:" /etc/passwd 2>/dev/null; }
group_is_there() { grep -q "^$1:" /etc/group 2>/dev/null; }

# A system account without a password, a shell or a home.
make_user() {
  user_is_there && return
  shell=/sbin/nologin
  if has useradd; then
    useradd --system --user-group --no-create-home --home-dir "$state" --shell "$shell" "$user"
  elif has adduser && adduser --help 2>&1 | grep -qi busybox; then
    group_is_there $user || addgroup -S $user
    adduser -S -D -H -h "$state" -s "$shell" -G $user $user
  else
    # OpenWrt has neither: the first number below those of people that is free.
    id=990
    while grep -q "^[^:]*:[^:]*:$id:" /etc/passwd /etc/group; do id=$((id - 1)); done
    group_is_there $user || echo "$user:x:$id:" >>/etc/group
    echo "$user:x:$id:$id:edgehose:$state:/bin/false" >>/etc/passwd
    [ -e /etc/shadow ] && echo "$user:!:0:0:99999:7:::" >>/etc/shadow
  fi
  user_is_there || die "the user '$user' could not be made: make it by hand, then run this again"
  # Logs belong to group adm in most places.
  if group_is_there adm; then
    if has usermod; then usermod -a -G adm $user
    elif has addgroup; then addgroup $user adm >/dev/null || true
    fi
  fi
  say "made the system user '$user'"
}

delete_user() {
  user_is_there || return 0
  if has userdel; then userdel "$user" >/dev/null 2>&1 || true
  elif has deluser; then deluser "$user" >/dev/null 2>&1 || true
  fi
  # The entries themselves, where no tool is there.
  for list in passwd shadow group; do
    grep -q "^$user:" /etc/$list 2>/dev/null || continue
    cp -p /etc/$list /etc/$list.new
    grep -v "^$user:" /etc/$list >/etc/$list.new || true
    mv /etc/$list.new /etc/$list
  done
}

install_service() {
  case $1 in
    systemd)
      put 644 "$here/systemd/edgehose.service" "$systemd/edgehose.service"
      [ -d /run/systemd/system ] && systemctl daemon-reload || true
      next="systemctl enable --now edgehose" ;;
    openrc)
      put 755 "$here/init/edgehose.openrc" /etc/init.d/edgehose
      next="rc-update add edgehose && rc-service edgehose start" ;;
    procd)
      put 755 "$here/init/edgehose.procd" /etc/init.d/edgehose
      next="/etc/init.d/edgehose enable && /etc/init.d/edgehose start" ;;
    none)
      next="edgehose run   (as user $user; no systemd, OpenRC or procd was found)" ;;
  esac
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

install_all() {
  [ -x "$here/bin/edgehose" ] || die "bin/edgehose is not beside this script: unpack the whole archive"
  "$here/bin/edgehose" version >/dev/null ||
    die "bin/edgehose does not run here: this archive is for another processor ($(uname -m) is this one)"
  put 755 "$here/bin/edgehose" "$program"
  make_user
  if [ -e "$config/edgehose.toml" ]; then
    say "$config/edgehose.toml is left as it is"
  else
    # What this device has to read; where it goes is for a person to say.
    mkdir -p "$config/credentials"
    "$program" config example >"$config/edgehose.toml.new"
    mv "$config/edgehose.toml.new" "$config/edgehose.toml"
    chown "root:$user" "$config/edgehose.toml" "$config/credentials"
    chmod 640 "$config/edgehose.toml"
    chmod 750 "$config/credentials"
  fi
  mkdir -p "$state"
  chown "$user:$user" "$state"
  chmod 750 "$state"
  install_service "$(init_system)"
  [ -d "$here/man" ] && for page in "$here"/man/*; do put 644 "$page" "$man/man1/${page##*/}"; done
  say "installed $("$program" version | head -n 1). Write $config/edgehose.toml, then:"
  say "  edgehose check"
  say "  $next"
}

uninstall() {
  stop_service
  rm -f "$program" "$systemd/edgehose.service" /etc/init.d/edgehose "$man/man1/edgehose.1" "$man"/man1/edgehose-*.1
  [ -d /run/systemd/system ] && systemctl daemon-reload || true
  say "taken away; $config and $state are still there"
}

purge() {
  uninstall >/dev/null
  rm -rf "$config" "$state"
  delete_user
  say "taken away, with its config, its buffer and its user"
}

[ $# -le 1 ] || die "one option at most: see the head of this script"
case ${1:-} in
  "" | --uninstall | --purge) [ "$(id -u)" -eq 0 ] || die "needs root: run it with sudo" ;;
esac
case ${1:-} in
  "") install_all ;;
  --uninstall) uninstall ;;
  --purge) purge ;;
  --help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" ;;
  *) die "$1 is unknown: --uninstall, --purge, --help, or nothing" ;;
esac
