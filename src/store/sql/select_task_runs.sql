select
    task, interval_ms, last_started_ms, last_duration_ms, last_success_ms, last_failure_ms, failures_in_row,
    last_error, runs
from task_run
order by task
