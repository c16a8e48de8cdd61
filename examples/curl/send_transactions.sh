#!/bin/sh
# Sends three transactions: a payment, a failed try, and the refund of a payment.
# TILLWATCH_URL is where the server listens, TILLWATCH_KEY a key with the scope `ingest`.
set -eu
at=$(date -u +%Y-%m-%dT%H:%M:%SZ)

curl --silent --show-error --fail-with-body "$TILLWATCH_URL/api/v1/transactions" \
  --header "Authorization: Bearer $TILLWATCH_KEY" \
  --header "Content-Type: application/json" \
  --data @- <<JSON
[
  {"transaction_id": "pay-1001", "created_at": "$at", "status": "succeeded", "amount": 1205, "currency": "CNY",
   "provider": "wechat_pay", "method": "wechat_pay", "scene": "mini_program", "order_id": "A-1001",
   "items": [{"sku": "tea-1", "category": "tea", "quantity": "0.5", "unit_amount": "24.10"}]},
  {"transaction_id": "pay-1002", "created_at": "$at", "status": "failed", "amount": 3900, "currency": "CNY",
   "provider": "alipay", "method": "alipay", "order_id": "A-1002", "failure_code": "BUYER_BALANCE_NOT_ENOUGH"},
  {"transaction_id": "refund-1", "created_at": "$at", "kind": "refund", "status": "succeeded", "amount": 200,
   "currency": "CNY", "provider": "wechat_pay", "parent_transaction_id": "pay-1001"}
]
JSON
