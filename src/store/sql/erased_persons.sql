select person_hash from erasure where done_at_ms is not null
