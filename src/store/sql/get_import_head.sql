select head from import where id = $1
