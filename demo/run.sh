#!/usr/bin/env bash
# Starts the demo upstream and the gateway, prints requests to copy, stops both on Ctrl-C.
# usage: demo/run.sh [CONFIG] [TOLLGATE]
set -euo pipefail
cd "$(dirname "$0")/.."

config=${1:-gateway.json}
tollgate=${2:-.build/release/tollgate}
gateway=http://127.0.0.1:8080
children=()

stop() {
  trap - EXIT INT TERM
  [ ${#children[@]} -eq 0 ] || kill -TERM "${children[@]}" 2>/dev/null || true
  wait || true
}
trap stop EXIT
trap 'exit 0' INT TERM

"$tollgate" check --config "$config"
"$tollgate" demo-upstream --port 9000 &
children+=($!)
"$tollgate" serve --config "$config" &
children+=($!)

for _ in $(seq 100); do
  if "$tollgate" health --config "$config" >/dev/null 2>&1; then
    ready=yes
    break
  fi
  for child in "${children[@]}"; do
    kill -0 "$child" 2>/dev/null || { echo "A server stopped; its message is above." >&2; exit 1; }
  done
  sleep 0.1
done
[ "${ready:-no}" = yes ] || { echo "The gateway did not become ready within 10 s." >&2; exit 1; }

cat <<END

The gateway listens on $gateway, the upstream on http://127.0.0.1:9000. Copy a line into another terminal:

  # admitted: alice's token carries the permission lamps:read
  curl -i -H "Authorization: Bearer \$(cat demo/alice.jwt)" $gateway/api/2/things/acme:lamp-1

  # admitted: the solution acme-lamps, by its API token
  curl -i -H "x-cr-api-token: \$(cat demo/lamps.token)" $gateway/api/2/things/acme:lamp-2

  # 401: no credential; an expired one
  curl -i $gateway/api/2/things/acme:lamp-1
  curl -i -H "Authorization: Bearer \$(cat demo/expired.jwt)" $gateway/api/2/things/acme:lamp-1

  # 403: bob's token is valid, the policy lets him read nothing
  curl -i -H "Authorization: Bearer \$(cat demo/bob.jwt)" $gateway/api/2/things/acme:lamp-1

  # 429: 360 at once, then 6 a second
  curl -s -o /dev/null -w '%{http_code}\n' "$gateway/public/[1-400]" | sort | uniq -c
  curl -i $gateway/public/x

  # why: every step of a decision, nothing forwarded, nothing spent
  $tollgate explain GET /api/2/things/acme:lamp-1 -H "Authorization: Bearer \$(cat demo/bob.jwt)"

  # what was decided, and that nobody touched the record
  $tollgate audit query var/audit --outcome forbidden
  $tollgate audit verify var/audit

Ctrl-C stops both.
END
wait -n || true
