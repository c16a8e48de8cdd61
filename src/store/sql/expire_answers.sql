delete from idempotent_answer
where key_hash in (select key_hash from idempotent_answer where created_at_ms < $1 order by created_at_ms limit $2)
