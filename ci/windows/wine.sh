#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs a Windows program under Wine: wine.sh PROGRAM [ARGUMENT...]. The prefix is the project's own; prefix.sh makes it
# and starts its server, which must be done before a program's output is waited for.
root=$(cd "$(dirname "$0")/../.." && pwd)
export WINEPREFIX="${FERRY_WINEPREFIX:-$root/build/windows-wine}"
export WINEDEBUG="${WINEDEBUG:--all}"
exec wine "$@"
