select count(*) from _sqlx_migrations
