select
    count(*), count(fold.inbox_seq), cast(coalesce(sum(fold.new_rows), 0) as bigint),
    cast(coalesce(sum(fold.replaced_rows), 0) as bigint), cast(coalesce(sum(fold.unchanged_rows), 0) as bigint)
from (select distinct inbox_seq from import_batch where import_id = $1) batch
left join fold_batch fold on fold.inbox_seq = batch.inbox_seq
