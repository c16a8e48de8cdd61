update pending_import set diagnosis = $2 where id = $1
