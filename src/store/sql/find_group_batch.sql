select seq from inbox where group_token = $1 and stream = $2
