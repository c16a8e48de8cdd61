insert into rejected_row (import_id, line, field, code, sentence, sealed) values ($1, $2, $3, $4, $5, $6)
