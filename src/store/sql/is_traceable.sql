select traceable from import where id = $1
