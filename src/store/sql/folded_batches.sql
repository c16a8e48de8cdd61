select seq, folded_version from inbox where stream = $1 and folded_version is not null order by seq
