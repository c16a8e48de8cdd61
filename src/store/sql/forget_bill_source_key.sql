update bill_source
set sealed_key = $2, fingerprint = '', platform_keys = '', platform_id = '', certificate_serial = '', is_on = 0,
    changed_at_ms = $3
where id = $1
