select id, store_id, provider, account, kinds, is_on, first_day, certificate_serial, platform_id, platform_keys,
    cast(length(sealed_key) as bigint) as key_bytes, fingerprint, changed_at_ms
from bill_source
order by id
