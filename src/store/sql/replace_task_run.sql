insert into task_run (
    task, interval_ms, last_started_ms, last_duration_ms, last_success_ms, last_failure_ms, failures_in_row,
    last_error, runs
)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (task) do update set
    interval_ms = excluded.interval_ms,
    last_started_ms = excluded.last_started_ms,
    last_duration_ms = excluded.last_duration_ms,
    last_success_ms = excluded.last_success_ms,
    last_failure_ms = excluded.last_failure_ms,
    failures_in_row = excluded.failures_in_row,
    last_error = excluded.last_error,
    runs = excluded.runs
