delete from session where ends_at_ms < $1
