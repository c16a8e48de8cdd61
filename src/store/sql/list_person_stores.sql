select store_id from person_store where person_id = $1 order by store_id
