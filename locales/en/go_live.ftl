# The go-live checklist: a settings page.
settings-go-live = Going live
golive-lead = What your records show of each way to pay, before you rely on it. Nothing is ticked by hand: a line is done when a record shows it.
golive-none = There are records, but no payment, refund or contract yet that a way to pay could be told by.
golive-bound-fees = Fees are compared with the contract over the last { $days } days.
golive-bound-rows = Looked at: records since { $day }. What was shown before that day only is not seen here.
golive-done = { $done } of { $all } shown
golive-check = Check
golive-live = Live
golive-test = In test mode
golive-paid = A payment was paid
golive-refunded = A refund was given back
golive-notified = The provider’s notification came and was right
golive-fee = The fee is as signed
golive-arrived = The money arrived
golive-mark-done = shown
golive-mark-missing = to do
golive-mark-wrong = differs
golive-mark-half = half shown
golive-mark-unknown = not measured
golive-mark-none = does not apply
golive-fee-agrees = { $n ->
    [one] 1 payment was charged as signed
   *[other] { $n } payments were charged as signed
}
golive-fee-differs = { $n ->
    [one] 1 payment was not charged as signed
   *[other] { $n } payments together were not charged as signed
}
golive-arrived-on = A payout was found on the bank statement of { $day }.
golive-paid-out = The bill shows a payout of { $when }, but it was not found on a bank statement: import the bank’s.
golive-next-paid = Take a small payment of your own.
golive-next-refunded = Refund a small payment of your own.
golive-next-paid-test = Pay in the provider’s sandbox and send it with a test key.
golive-next-refunded-test = Refund it in the sandbox and send that with a test key.
golive-unknown-notified = No notification came in by an endpoint of this server that checks the provider’s signature.
golive-unknown-bill = No fee is known yet: import the provider’s bill.
golive-unknown-contract = Fees are known, but no contract rate: enter it under contract rates.
golive-unknown-arrived = No payout is known: import the provider’s settlement or fund-flow bill.
