-- Who makes the rollups anew: with several servers, one that began later takes it from one that began before.
alter table rollup_state add column rebuild_token TEXT COLLATE "C" NOT NULL DEFAULT '';
