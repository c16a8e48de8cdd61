# Payments without a final status (limbo).
limbo-name = No final status
limbo-lead = Payments that are neither paid nor failed although payments of their method have usually come to an end by then. The money may have been taken without your shop knowing.
limbo-title = { $n ->
    [one] 1 payment has no final status
   *[other] { $n } payments have no final status
}
limbo-stake = { $amount } at stake in { $n ->
    [one] 1 payment
   *[other] { $n } payments
}
limbo-link = { $n ->
    [0] No order has been without a final status for longer than usual
    [one] 1 order has had no final status for longer than usual
   *[other] { $n } orders have had no final status for longer than usual
}
limbo-bound = Looked at: payments of the last { $days } days; orders that another attempt paid are left out.
limbo-cut = There are so many open payments that only the oldest were looked at; the figures are of these.
limbo-listed = The { $n } oldest are listed; the figures are of all.
limbo-empty-title = Nothing is open longer than usual
limbo-empty-text = Every payment has come to an end, or is younger than payments of its method usually take.
limbo-do = What to do
limbo-do-ask = Ask the provider for the order by the number in the last column, in its merchant portal or by its query interface. Oldest first.
limbo-do-paid = Paid there: the shop missed it. Deliver or refund, and send the payment again with its final status.
limbo-do-unpaid = Not paid there: close the order at the provider, so that nobody can pay it any more, and send it again as expired or cancelled.
limbo-do-cause = Several at once mostly mean that the provider’s notifications do not reach your shop: look at the address it notifies, and let your system ask by itself when no answer comes.
limbo-methods = By method
limbo-learned = 99 of 100 payments were done by then: { $n } payments of the last 28 days
limbo-learned-clamped = from { $n } payments of the last 28 days, kept between 5 minutes and 24 hours
limbo-learned-none = no payment of this method in the last 28 days shows it: the longest time is taken
limbo-list = Oldest first
limbo-begun = Begun
limbo-age = Open for
limbo-days = { $days } d { $hours } h
limbo-method = { $n ->
    [one] 1 payment, usual time { $usual }
   *[other] { $n } payments, usual time { $usual }
}
limbo-ask-by = Ask the provider for
