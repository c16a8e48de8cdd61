#!/bin/sh
# Sends what a provider says it moved: a payment and the fee it kept.
set -eu
at=$(date -u +%Y-%m-%dT%H:%M:%SZ)

curl --silent --show-error --fail-with-body "$TILLWATCH_URL/api/v1/ledger-lines" \
  --header "Authorization: Bearer $TILLWATCH_KEY" \
  --header "Content-Type: application/json" \
  --data @- <<JSON
[
  {"line_id": "l-1", "posted_at": "$at", "kind": "payment", "direction": "in", "currency": "CNY", "gross": 1205,
   "fee": 7, "net": 1198, "fee_rate": "0.60%", "provider": "wechat_pay", "order_id": "A-1001"}
]
JSON
