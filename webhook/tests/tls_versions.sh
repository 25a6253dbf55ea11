#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What an independent client finds at the webhook's port: TLS 1.2 and 1.3, and no cipher that is weak.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

for tool in openssl curl; do
    command -v $tool >/dev/null || { echo "$tool is missing"; exit 77; }
done
operator=${OPERATOR:-build/bin/podflame-operator}
[ -x "$operator" ] || { echo "$operator is not built"; exit 77; }

work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$work"' EXIT

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout "$work/key" -out "$work/cert" 2>/dev/null
"$operator" webhook --port 0 --cert "$work/cert" --key "$work/key" 2>"$work/log" &
server=$!
port=
for _ in $(seq 100); do
    port=$(sed -n 's/.*msg="webhook listens".* port=\([0-9]*\).*/\1/p' "$work/log")
    [ -z "$port" ] || break
    sleep 0.1
done
[ -n "$port" ] || { cat "$work/log"; exit 1; }

failed=0
expect() { # yes|no WHAT OPTION...: whether a handshake with these options of s_client ends well
    local want=$1 what=$2 got=no
    shift 2
    if openssl s_client -connect "127.0.0.1:$port" -CAfile "$work/cert" -verify_return_error "$@" \
        </dev/null >"$work/out" 2>&1 && grep -q 'Verify return code: 0 (ok)' "$work/out" &&
        ! grep -q 'Cipher is (NONE)' "$work/out"; then
        got=yes
    fi
    printf '%-4s %s\n' "$got" "$what"
    [ "$got" = "$want" ] || { echo "expected $want: $what" && tail -n 5 "$work/out" && failed=1; }
}

expect yes 'TLS 1.3' -tls1_3
expect yes 'TLS 1.2' -tls1_2
expect no 'TLS 1.1' -tls1_1 -cipher ALL:@SECLEVEL=0
expect no 'TLS 1.0' -tls1 -cipher ALL:@SECLEVEL=0
expect yes 'X25519' -groups X25519
expect yes 'P-256' -groups P-256
expect yes 'what an API server offers at TLS 1.2' -tls1_2 \
    -cipher ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305

# Each cipher that this OpenSSL knows, alone: only forward secrecy with AEAD may be taken.
while read -r cipher; do
    case $cipher in
    ECDHE-ECDSA-AES128-GCM-SHA256 | ECDHE-ECDSA-AES256-GCM-SHA384 | ECDHE-ECDSA-CHACHA20-POLY1305)
        expect yes "$cipher" -tls1_2 -cipher "$cipher:@SECLEVEL=0" ;;
    *) expect no "$cipher" -tls1_2 -cipher "$cipher:@SECLEVEL=0" ;;
    esac
done < <(openssl ciphers -s -tls1_2 'ALL:COMPLEMENTOFALL:@SECLEVEL=0' | tr ':' '\n' | grep -v '^TLS_')

# No compression, no resumption that outlives a certificate, no renegotiation by the client.
openssl s_client -connect "127.0.0.1:$port" -tls1_2 </dev/null >"$work/out" 2>&1 || true
grep -q 'Compression: NONE' "$work/out" || { echo 'compression'; failed=1; }
grep -q 'TLS session ticket' "$work/out" && { echo 'a session ticket'; failed=1; }

# An HTTP client: the path, and nothing by plain HTTP.
path=/validate-profilepod-io-v1alpha1-podflame
status() { curl -s -o /dev/null -w '%{http_code}' --max-time 5 --cacert "$work/cert" "$@" || true; }
[ "$(status "https://localhost:$port$path")" = 405 ] || { echo 'GET was not refused'; failed=1; }
[ "$(status "https://localhost:$port/")" = 404 ] || { echo 'another path was not refused'; failed=1; }
[ "$(status "http://localhost:$port$path")" = 000 ] || { echo 'plain HTTP was answered'; failed=1; }
[ "$(status --tls-max 1.1 --ciphers ALL:@SECLEVEL=0 "https://localhost:$port$path")" = 000 ] || { echo 'curl got TLS 1.1'; failed=1; }
exit $failed
