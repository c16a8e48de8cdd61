select body_hash, answer from idempotent_answer where key_hash = $1
