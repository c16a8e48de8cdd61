# Page "Status": is the service itself well.
status-about = How the service itself is doing, as of this moment.
status-zone = Times are in the zone
status-service = Service
status-version = Version
status-uptime = Running for
status-data-version = Data version
status-folded = Last fold
status-never = never yet
status-database = Database
status-lake = Files of records
status-files = { $n ->
    [one] { $n } file
   *[other] { $n } files
}, { $size }
status-disk = Free disk
status-ago = { $span } ago
status-backlog = Waiting records
status-inbox = Inbox
status-backlog-none = Nothing waits: the pages show every record that came in.
status-backlog-some = { $batches ->
    [one] { $batches } batch
   *[other] { $batches } batches
} with { $rows } rows wait; the oldest since { $oldest }.
status-batch-held = Set aside
status-batch-held-line = Batch { $seq } ({ $stream }, { $rows ->
    [one] { $rows } row
   *[other] { $rows } rows
}) could not be taken in. It is kept and waits for a repair; all others go on. Since { $since }: { $reason }
status-batch-held-more = { $n ->
    [one] { $n } more batch
   *[other] { $n } more batches
} could not be taken in.
status-probes = For machines:
status-jobs = Jobs
status-jobs-none = No job has run yet. The first run is noted within a minute of the start.
status-job = Job
status-job-state = State
status-job-success = Last success
status-job-took = Took
status-job-every = Pause
status-job-runs = Runs
status-job-good = Well
status-job-overdue = Overdue
status-job-failing = Failing
status-job-waiting = Not run yet
status-feeds = How fresh the data is
status-feeds-none = No record has come in yet.
status-feeds-about = The youngest record of each source.
status-feed = Records
status-provider = Provider
status-last-event = Youngest event
status-last-received = Last received
stream-transactions = Transactions
stream-ledger_lines = Bill lines
stream-checkout_events = Checkout events
job-fold = Take in records
job-evaluate_alerts = Evaluate alerts
job-notify = Send notifications
job-expire = Delete what is past its keep
job-inspect = Look for damaged files
job-scrub = Read every file again, weekly
job-reconcile = Reconcile bills
job-disk = Watch the disk
job-retention = Drop what is older than it is kept
job-compact = Merge small files
job-backup = Back up
status-lost-files = Files that cannot be read
status-lost-files-about = Their records are counted in daily figures, but cannot be listed or filtered until they are mended with
status-day = Day (UTC)
status-rows = Records
status-reason = What is wrong
status-since = Since
