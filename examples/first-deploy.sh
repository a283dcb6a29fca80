#!/usr/bin/env bash
# From nothing to a running webservice, with nothing but curl:
# registers a tool, builds an example from its Git URL, deploys it and gets its page.
#
#   examples/first-deploy.sh [TOOL] [EXAMPLE]
#
# PORTAL_TOKEN is an API token; without it, the development identity `alice` signs in and makes one.
set -euo pipefail
portal=http://localhost:${PORTAL_PORT:-8000}
tool=${1:-flask-hello}
example=${2:-flask-hello}
jar=$(mktemp)
trap 'rm -f "$jar"' EXIT

form_token() { sed -n 's/.*name="csrfmiddlewaretoken" value="\([^"]*\)".*/\1/p' | head -n 1; }
page() { curl --silent --show-error --fail --location --cookie "$jar" --cookie-jar "$jar" "$@"; }
field() { # the first value of a field in a JSON text
    sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p" | head -n 1
}

if [ -z "${PORTAL_TOKEN:-}" ]; then
    csrf=$(page "$portal/accounts/login/" | form_token)
    page --data-urlencode "csrfmiddlewaretoken=$csrf" --data username=alice --output /dev/null \
        "$portal/accounts/development/"
    csrf=$(page "$portal/accounts/tokens/" | form_token)
    PORTAL_TOKEN=$(page --data-urlencode "csrfmiddlewaretoken=$csrf" \
        --data 'name=first-deploy&days=30&scopes=read&scopes=deploy&scopes=write' \
        "$portal/accounts/tokens/" | grep -o 'cht_[A-Za-z0-9_-]\{40\}' | head -n 1) || true
fi

api() { # PATH [curl options]: a call that says what went wrong
    local path=$1
    shift
    curl --silent --show-error --fail-with-body --header "Authorization: Bearer $PORTAL_TOKEN" \
        --header 'Content-Type: application/json' "$@" "$portal/api/v1$path"
}

[ -n "$PORTAL_TOKEN" ] || { echo "No token could be made; make one on the tokens page and set PORTAL_TOKEN."; exit 1; }

echo "Registering the tool $tool"
api /tools/ --data "{\"name\": \"$tool\", \"title\": \"First deploy\",
    \"repository\": \"http://127.0.0.1:${PORTAL_PORT:-8000}/examples/$example.git\"}" >/dev/null ||
    echo "It seems to be there already: going on with it."

echo "Building"
build=$(api "/tools/$tool/builds/" --data '{}' | field number)
while :; do
    status=$(api "/tools/$tool/builds/$build/" | field status)
    case $status in queued | running) sleep 0.5 ;; *) break ;; esac
done
api "/tools/$tool/builds/$build/logs/"
[ "$status" = succeeded ] || { echo "The build ended as $status."; exit 1; }

echo "Deploying build $build"
release=$(api "/tools/$tool/webservice/deploy/" --data "{\"build\": $build}" | field number)
for _ in $(seq 300); do
    status=$(api "/tools/$tool/webservice/releases/" |
        grep -o "\"number\":$release,\"status\":\"[a-z]*\"" | field status)
    [ "$status" = starting ] || break
    sleep 0.2
done
[ "$status" = live ] || { echo "The release is $status."; exit 1; }

address=$(api "/tools/$tool/webservice/" | field url)
echo "It runs at $address"
curl --silent --show-error --fail "$address"
