select at_ms, action, subject, detail from care_log order by id desc limit $1
