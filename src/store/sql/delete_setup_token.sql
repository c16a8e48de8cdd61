delete from setup_token where id = 1
