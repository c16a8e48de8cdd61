select place from pending_import where place <> ''
