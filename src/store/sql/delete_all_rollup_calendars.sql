delete from rollup_calendar
