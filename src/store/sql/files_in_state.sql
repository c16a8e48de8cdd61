select id, stream, day, file_set, path, row_count, size_bytes, blake3, last_event_ms, control, superseded from lake_file
where state = $1 order by stream, day, added_version, id
