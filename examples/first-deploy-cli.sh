#!/usr/bin/env bash
# From nothing to a running webservice and back, with the command line client:
# registers a tool, builds an example from its Git URL, deploys it, gets its page, releases it anew,
# rolls back, reads its output, stops it.
#
#   pip install ./portal/cli
#   portal login                # or PORTAL_TOKEN in the environment
#   examples/first-deploy-cli.sh [TOOL] [EXAMPLE]
#
# PORTAL_URL is the portal, PORTAL_EXAMPLES where its examples are.
set -euo pipefail
tool=${1:-flask-hello}
example=${2:-flask-hello}
export PORTAL_URL=${PORTAL_URL:-http://localhost:8000}
examples=${PORTAL_EXAMPLES:-http://127.0.0.1:${PORTAL_URL##*:}/examples}

portal whoami
portal tools show "$tool" >/dev/null 2>&1 ||
    portal tools register "$tool" --title "First deploy" --repository "$examples/$example.git"
portal build start "$tool" --wait --follow
portal deploy "$tool"

address=$(portal webservice status "$tool" -o json | sed -n 's/^ *"url": "\(.*\)",$/\1/p')
curl --silent --show-error --fail "$address"

portal webservice restart "$tool"
portal rollback "$tool"
portal releases "$tool"
portal logs "$tool"
portal webservice stop "$tool"
