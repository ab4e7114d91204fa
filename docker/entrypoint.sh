#!/bin/sh
# Words behind the image's name go to `elastix-impact`; without a command it is `run`: register the case in /Data.
set -eu
umask 022
case "${1-}" in
  "" ) set -- run ;;
  -h | --help | --version | --debug ) ;;
  -* ) set -- run "$@" ;;
esac
mkdir -p "$HOME" 2>/dev/null || export HOME=/tmp
# Docker starts containers as root. What is written then belongs to whoever owns the folder that was mounted.
if [ "$(id -u)" = 0 ] && [ -d /Out ]; then
  owner="$(stat -c %u /Out)"
  if [ "$owner" != 0 ]; then
    exec setpriv --reuid="$owner" --regid="$(stat -c %g /Out)" --clear-groups elastix-impact "$@"
  fi
fi
exec elastix-impact "$@"
