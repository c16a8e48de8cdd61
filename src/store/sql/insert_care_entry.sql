insert into care_log (at_ms, action, subject, detail) values ($1, $2, $3, $4)
