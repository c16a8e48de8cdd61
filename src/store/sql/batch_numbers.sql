select seq from inbox where stream = $1 order by seq
