#!/bin/sh
# Sends one record a line, packed with gzip: the way for large batches (at most 10,000 rows and 16 MiB unpacked).
# The second row has a mistake: the answer names its index, field and reason, and the first is taken all the same.
set -eu
at=$(date -u +%Y-%m-%dT%H:%M:%SZ)

gzip <<LINES | curl --silent --show-error --fail-with-body "$TILLWATCH_URL/api/v1/transactions" \
  --header "Authorization: Bearer $TILLWATCH_KEY" \
  --header "Content-Type: application/x-ndjson" --header "Content-Encoding: gzip" \
  --data-binary @-
{"transaction_id": "pay-2001", "created_at": "$at", "status": "pending", "amount": 800, "currency": "CNY"}
{"transaction_id": "pay-2002", "created_at": "$at", "status": "pending", "amount": "8.00", "currency": "CNY"}
LINES
