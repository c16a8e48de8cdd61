select count(*) from inbox where held_reason is not null
