# Imports: upload, result, rejected lines.
imports-about = Bills of providers, bank statements, and any CSV or Excel table of a till or aggregator
imports-upload = Import a file
imports-file = File
imports-file-hint = As downloaded: CSV, Excel (XLSX), XML, MT940, JSON, or a ZIP or GZ of one; up to { $size }. The format is recognised by itself.
imports-mapping = Mapping file (optional)
imports-mapping-hint = Only for files that are no bill of a known provider: a TOML file that names the columns.
imports-button = Check the file
imports-where = Where do I find the file?
imports-where-wechat = WeChat Pay: pay.weixin.qq.com, 交易中心 → 交易账单, download the trade bill.
imports-where-alipay = Alipay: b.alipay.com, 对账中心 → 下载账单, the ZIP with 业务明细.csv.
imports-where-other = Statements of a personal wallet are no bills and are refused.
imports-list = Imports so far
imports-none = No file has been imported yet. Choose one above; its result is shown line by line.
imports-number = No.
imports-file-name = File
imports-provider = Provider
imports-state = State
imports-rows = Records
imports-rejected = Rejected lines
imports-when = Imported at
imports-one = Import
imports-back = All imports
imports-state-running = Running
imports-state-interrupted = Interrupted
imports-state-partly = Done, with rejected lines
imports-state-done = Done
imports-state-refused = Refused
imports-state-failed = Failed
imports-already = This very file was already imported as #{ $id }. Nothing was changed.
imports-again = The import did not come to its end. Import the same file again: nothing is counted twice.
imports-running = The file is being read. This page reloads by itself.
imports-rows-so-far = { $n } records so far
imports-lines = Lines of the file
imports-lines-read = Read
imports-lines-accepted = Taken in
imports-lines-rejected = Rejected
imports-lines-not-data = Not data
imports-lines-about = Read = taken in + rejected + not data (headers, summaries, comments, empty lines).
imports-rows-all = Taken in
imports-rows-new = New
imports-rows-replaced = Replaced
imports-rows-unchanged = Unchanged
imports-rows-about = Taken in = new + replaced + unchanged.
imports-folding = The records are safe and are being counted; this page reloads by itself.
imports-shared = New, replaced and unchanged also count records of other senders that came at the same moment.
imports-found = What the file is
imports-encoding = Encoding
imports-period = Period
imports-totals = Check against its own summary
imports-totals-matched = The rows add up to the file's summary
imports-totals-not-comparable = Not possible: amounts of rejected lines cannot be read
imports-totals-none = The file has no summary
imports-rejected-title = Rejected lines
imports-rejected-csv = Download all rejected lines with reasons (CSV)
imports-line = Line
imports-column = Column
imports-code = Code
imports-reason = Reason
imports-raw = Line without shoppers' references
imports-reason-quoted = { $reason }: “{ $cell }”
imports-reject-column_count = The line has another number of cells than the header
imports-reject-missing = A value is needed here
imports-reject-too_long = The value is too long
imports-reject-not_an_amount = This is not a decimal amount
imports-reject-amount_out_of_range = The amount is out of range
imports-reject-too_many_decimals = This amount has more decimal places than its currency
imports-reject-does_not_add_up = Gross, fee and net of this line do not add up
imports-reject-negative_amount = The amount must not be negative
imports-reject-not_a_time = This is not a date and time
imports-reject-seconds_missing = The seconds are missing: Excel has saved this file
imports-reject-no_such_time = The clocks were put forward over this time
imports-reject-time_out_of_range = The year is out of range
imports-reject-unknown_zone = This time zone is unknown or has several meanings: say which zone the account is in
imports-reject-in_the_future = The time is more than 24 hours in the future
imports-reject-unknown_kind = This kind of line is unknown
imports-reject-unknown_status = This status is unknown
imports-reject-unknown_currency = This currency is unknown
imports-reject-not_a_slug = This must be lower-case letters, digits, `_` or `-`
imports-reject-pan_suspected = The text looks like a card number; the line was not kept
imports-reject-control_character = There are invisible characters in this number: download the file again
imports-reject-formula = A formula stands where a number belongs: download the file again
imports-reject-rejected_by_mapping = The mapping rejects such lines
imports-reject-transaction_rejected = Another line of this transaction was rejected
imports-reject-too_many_items = The transaction has too many lines
imports-reject-unreadable = The line cannot be read

# Before anything is taken in.
imports-button-about = Nothing is taken in yet: you first see what was found in the file.
imports-check = Check before importing
imports-check-about = This is what was found in the file. Nothing has been taken in so far.
imports-steps = Steps
imports-step-choose = Choose a file
imports-step-check = Check it
imports-step-import = Import
imports-unnamed = File without a name
imports-see = See that import
imports-refused = This file cannot be imported
imports-warnings = Look at this first
imports-right = Is this right?
imports-nothing-to-do = Nothing can be taken in
imports-confirm = Yes, import
imports-discard = Discard the file
imports-discarded = The file was discarded. Nothing was taken in.
imports-kept-until = The file is kept until { $when } and then removed; until then anybody who may see this store can confirm it.
imports-not-kept = The file itself is not kept.
imports-already-found = This very file was already imported as #{ $id }. Importing it again would change nothing.
imports-already-running = This very file is being imported at this moment, as #{ $id }.
imports-known = Of { $all } records { $same } are here already, exactly the same, and { $differing } with other content; of those the later version will count. Nothing is counted twice.
imports-known-none = None of these records is here yet.
imports-examining = The file is being read to its end.
imports-reloads = This page reloads by itself.
imports-variant = Kind of file
imports-zone = Times are in
imports-zone-beijing = Beijing time (UTC+8)
imports-zone-own = As printed with each row
imports-accounts = Merchant ids
imports-columns-unread = Columns not kept
imports-lines-accepted-later = Will be taken in
imports-lines-about-later = Read = will be taken in + rejected + not data (headers, summaries, comments, empty lines).
imports-witnesses = Only compared, not counted
imports-witness = compared, not counted
imports-sums = What would be taken in
imports-kind = Kind
imports-currency = Currency
imports-amount = Amount
imports-fee = Fee
imports-net = Net
imports-summary = The file’s own summary beside our sums
imports-summary-name = Total in the file
imports-summary-printed = As printed
imports-summary-computed = Sum of the rows
imports-summary-check = Comparison
imports-summary-same = Match
imports-summary-differs = Differ
imports-summary-unknown = Cannot be compared
imports-first-line = First such line
imports-sample = { $n ->
    [one] The first row, as it will be read
   *[other] The first { $n } rows, as they will be read
 }
imports-sample-about = Times are shown in the store’s zone. Shoppers are not shown: they are kept as hashes only.
imports-time = Time
imports-status = Status
imports-method = Method
imports-id = Number at the provider
imports-order = Order
imports-waiting = Waiting for your confirmation
imports-waiting-about = These files were read but not taken in.
imports-waiting-since = since { $when }, kept until { $until }
imports-another-store = another store
imports-warn-no-trades = The bill has no rows: no trades that day. That is fine; there is nothing to take in.
imports-warn-seconds = { $n ->
    [one] One line has a time without seconds
   *[other] { $n } lines have times without seconds
 }: Excel has saved this file. Such lines are rejected. Download the file again and import it without opening it.
imports-warn-future = { $n ->
    [one] One line lies
   *[other] { $n } lines lie
 } more than 24 hours in the future and will be rejected. Either the zone is wrong or this server’s clock is.
imports-warn-zone = { $n ->
    [one] One row lies
   *[other] { $n } rows lie
 } { $span } away from payments of the same number that are known already. The zone of the file is probably wrong.
imports-warn-account = Bills of the merchant id { $account } were imported into { $store } so far, never into this store. Is this the right store?
imports-warn-mostly-rejected = More lines are rejected than taken in. This is seldom what one wants: look at the reasons below.
imports-fault-form_unreadable = The form was cut off on its way. Choose the file again.
imports-fault-file_missing = No file was chosen.
imports-fault-several_files = Choose one file at a time. None was taken.
imports-fault-too_large = The file is larger than the limit below. Split it by month or day. Nothing was taken.
imports-fault-body_too_slow = The file came too slowly and was given up. Try again, or import it on the server with: tillwatch import
imports-fault-disk_full = The server’s disk is full. Nothing was taken. Whoever runs this server must make room first.
imports-fault-too_many_waiting = Too many files of this store wait for confirmation. Confirm or discard some of them.
imports-fault-too_much_waiting = The files of this store that wait for confirmation are too large together. Confirm or discard some of them.
imports-variant-wechat_pay-all = Trade bill, all trades
imports-variant-wechat_pay-success = Trade bill, payments only
imports-variant-wechat_pay-refund = Trade bill, refunds only
imports-variant-wechat_pay-all__old = Trade bill in the old columns, all trades
imports-variant-wechat_pay-success__old = Trade bill in the old columns, payments only
imports-variant-wechat_pay-refund__old = Trade bill in the old columns, refunds only
ledger-payment = Payment
ledger-refund = Refund
ledger-dispute = Dispute
ledger-fee = Fee
ledger-payout = Withdrawal
ledger-transfer = Transfer
ledger-adjustment = Adjustment
imports-variant-alipay-trade = Trade bill
imports-variant-alipay-trade__acquirer = Trade bill of an institution
job-sweep_uploads = Remove uploads that nobody confirmed
imports-arrivals = Bills of the last 30 days
imports-arrivals-about = One sign for every day of the source, from the oldest to yesterday. The bill of a day is there from 10:00 Beijing time of the next day.
imports-arrivals-missing = { $n ->
    [one] one day without its bill
   *[other] { $n } days without their bills
 }
imports-day-arrived = arrived
imports-day-no-activity = nothing happened
imports-day-not-due = not due yet
imports-day-late = late
imports-day-missing = missing
imports-day-no-claim = not expected
imports-reports = Reports of these days
imports-variant-wechat_pay-fund_flow = Fund-flow bill
imports-variant-alipay-account = Account bill
imports-mend = Put rejected lines right and hand them in
imports-mend-about = Download the list above, put the lines right in its last column and hand the list in here; or hand in the whole file put right. Only lines that were rejected are read again. Lines that looked like they held a card number are not kept: write them anew without it.
imports-mend-file = The list or the file
imports-mend-button = Read these lines
imports-mend-outcome = { $mended } lines were taken in, { $still } are still rejected{ $foreign ->
    [0] .
   *[other] , and { $foreign } were none of the rejected lines and were left alone.
 }
imports-mend-state = Of { $all } rejected lines { $mended } were mended, { $still } are still rejected.
imports-mended = Mended
imports-rejected-still = Rejected
imports-mend-fault-by-line = The lines of this file cannot be read one by one. Put the file right and import it whole: nothing is counted twice.
imports-mend-fault-whole = This is neither the list of rejected lines nor the whole file. Nothing was taken in.
imports-mend-fault-unreadable = The file cannot be read as lines of this bill. Nothing was taken in.
imports-mend-fault-no-file = No file came, or it was cut off. Nothing was taken in.
imports-password-title = The archive is locked
imports-password = Password of the archive
imports-password-hint = It is used once to open the archive and is not kept.
imports-password-button = Open it
