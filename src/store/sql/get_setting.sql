select content from setting where name = $1
