insert into organisation (name, created_at_ms) values ($1, $2) returning id
