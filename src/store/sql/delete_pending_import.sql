delete from pending_import where id = $1
