select line, field, code, sentence, raw
from rejected_row
where import_id = $1
order by line
limit $2
