select person_hash, basis, asked_at_ms from erasure where done_at_ms is null
