#!/bin/sh
# Sends two steps of a shopper's way through checkout.
set -eu
at=$(date -u +%Y-%m-%dT%H:%M:%SZ)

curl --silent --show-error --fail-with-body "$TILLWATCH_URL/api/v1/checkout-events" \
  --header "Authorization: Bearer $TILLWATCH_KEY" \
  --header "Content-Type: application/json" \
  --data @- <<JSON
[
  {"event_id": "e-1", "time": "$at", "session_id": "s-1", "step": "begin_checkout", "currency": "CNY", "value": 1205},
  {"event_id": "e-2", "time": "$at", "session_id": "s-1", "step": "purchase", "order_id": "A-1001",
   "methods_offered": ["wechat_pay", "alipay"], "method": "wechat_pay", "dwell_ms": 5200}
]
JSON
