#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The Wine prefix that tests run in: prefix.sh start | stop. It keeps three traps away from the tests:
#
#   - A server that a test starts inherits the test's output and holds it open, so whoever waits for its end hangs. The
#     server and its services are started here, with nothing to hold.
#   - A program that crashes starts Wine's debugger, and may then exit with 0. Here the debugger does not exist.
#   - A new prefix says it is Windows 7. Here it is Windows 10, the oldest that Ferry supports.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
export WINEPREFIX="${FERRY_WINEPREFIX:-$root/build/windows-wine}"
export WINEDEBUG=-all WINEDLLOVERRIDES="mscoree=;mshtml=" DISPLAY=

quietly() {
    timeout 120 "$@" </dev/null >/dev/null 2>&1
}

start() {
    mkdir -p "$WINEPREFIX"
    quietly wineserver -p || true # one that runs already says so with a failure
    quietly wine wineboot
    quietly wine reg add 'HKLM\Software\Microsoft\Windows NT\CurrentVersion\AeDebug' /v Debugger /d none /f
    quietly wine reg add 'HKCU\Software\Wine' /v Version /d win10 /f
}

case ${1:-} in
start) start ;;
stop) quietly wineserver -k || true ;;
*)
    echo "prefix.sh: start or stop" >&2
    exit 2
    ;;
esac
