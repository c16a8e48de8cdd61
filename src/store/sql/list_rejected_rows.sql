select line, field, code, sentence, raw, sealed, mended_at_ms
from rejected_row
where import_id = $1
order by line
limit $2
