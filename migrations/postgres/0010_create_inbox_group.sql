-- The token of the group commit that a batch came with: after a connection was lost in COMMIT it tells whether the group
-- is there. Null in batches from before.
alter table inbox add column group_token TEXT COLLATE "C";
create unique index inbox_group on inbox (group_token, stream);
