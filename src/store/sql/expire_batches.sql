delete from inbox
where seq in (select seq from inbox where folded_version is not null and folded_at_ms < $1 order by seq limit $2)
