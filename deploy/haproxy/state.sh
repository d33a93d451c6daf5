#!/usr/bin/env bash
# Takes a server out of HAProxy, or puts it back: state.sh app/one drain, or ready.
# Requests that are running there go on, WebSockets too; HAProxy sends no others. Needs socat.
set -euo pipefail
answer=$(echo "set server $1 state $2" | socat -t5 - "unix-connect:${HAPROXY_SOCKET:-/run/haproxy/admin.sock}")
answer=${answer//$'\n'/}
if [ -n "$answer" ]; then # HAProxy says nothing if all is well
	printf '%s\n' "$answer" >&2
	exit 1
fi
