# 未决：没有最终状态的支付。
limbo-name = 未决
limbo-lead = 既没成功也没失败、并且已超过该支付方式通常用时的支付。钱可能已经扣了，而店里不知道（掉单）。
limbo-title = { $n } 笔支付没有最终状态
limbo-stake = 涉及 { $amount }，共 { $n } 笔
limbo-link = { $n ->
    [0] 没有超时未决的订单
   *[other] { $n } 个订单未决，已超过通常用时
}
limbo-bound = 查看范围：最近 { $days } 天的支付；已由另一次支付请求付清的订单不列入。
limbo-cut = 未完成的支付太多，只查看了最早的一部分，数字也只含这一部分。
limbo-listed = 列出最早的 { $n } 笔，数字为全部。
limbo-empty-title = 没有超时未决的支付
limbo-empty-text = 所有支付都已有结果，或者还在该支付方式的通常用时之内。
limbo-do = 怎么处理
limbo-do-ask = 按最后一列的号码，到支付机构的商户后台或用查询接口查单，从最早的查起。
limbo-do-paid = 那边已支付：就是掉单。请发货或退款，并把最终状态重新上报。
limbo-do-unpaid = 那边未支付：请在支付机构关单，避免再被支付，并以超时关单或已取消重新上报。
limbo-do-cause = 一下子有好几笔，多半是支付机构的通知没有送到店里的系统：请检查通知地址，并让系统在收不到结果时主动查单。
limbo-methods = 按支付方式
limbo-learned = 最近 28 天的 { $n } 笔里，100 笔有 99 笔在此之前完成
limbo-learned-clamped = 依据最近 28 天的 { $n } 笔，限定在 5 分钟到 24 小时之间
limbo-learned-none = 最近 28 天没有这种支付方式的成功支付可参考，按最长时间计
limbo-list = 从最早的开始
limbo-begun = 发起时间
limbo-age = 已过
limbo-days = { $days } 天 { $hours } 小时
limbo-method = { $n } 笔，通常用时 { $usual }
limbo-ask-by = 查单号码
