#!/bin/sh
# Words behind the image's name go to `elastix-impact`; without a command it is `run`: register the case in /Data.
set -eu
# Docker starts containers as root. What is written then belongs to whoever owns the folder that was mounted.
if [ "$(id -u)" = 0 ] && [ -d /Out ]; then
  owner="$(stat -c %u /Out)"
  if [ "$owner" != 0 ]; then
    exec setpriv --reuid="$owner" --regid="$(stat -c %g /Out)" --clear-groups "$0" "$@"
  fi
fi
case "${1-}" in
  "" ) set -- run ;;
  -h | --help | --version | --debug ) ;;
  -* ) set -- run "$@" ;;
esac
# Any user may come without a home, or with one that can't be written: it gets one that nobody else can write.
if [ -z "${HOME-}" ] || ! mkdir -p "$HOME" 2>/dev/null || ! [ -w "$HOME" ]; then
  HOME="$(mktemp -d)"
  export HOME
fi
exec elastix-impact "$@"
