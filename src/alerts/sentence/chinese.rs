//! Alerts in Chinese.

use chrono::{Datelike, NaiveDate};

use super::{
    AlertKind, AlertState, Episode, Evidence, Loss, PERCENT_FROM, Surprise, Told, Tongue, Where, about,
    count, local, minutes, money, percent_of_ppm, provider_name, success, weeks_by_chance,
};
use crate::domain::Instant;

pub(super) const fn kind_name(kind: AlertKind) -> &'static str {
    match kind {
        AlertKind::SuccessRateDrop => "支付成功率下降",
        AlertKind::TrafficSilence => "长时间无交易",
        AlertKind::SettlementLate => "账单未到",
        AlertKind::FeeMismatch => "手续费偏高",
        AlertKind::RefundSpike => "退款激增",
        AlertKind::JobFailed => "后台任务失败",
        AlertKind::IngestLag => "数据积压",
    }
}

pub(super) fn tell(episode: &Episode, place: &Where) -> Told {
    let provider = provider_name(Tongue::Chinese, episode.scope.provider);
    let (title, mut lines) = match &episode.evidence {
        Evidence::SuccessRateDrop { .. } => success_rate(episode, place, &provider),
        Evidence::TrafficSilence { .. } => silence(episode, place, &provider),
        Evidence::SettlementLate { .. } => bill(episode, place, &provider),
        Evidence::FeeMismatch { .. } => fees(episode, &provider),
        Evidence::RefundSpike { .. } => refunds(episode, place),
        Evidence::JobFailed { .. } | Evidence::IngestLag { .. } => trouble(episode, place),
    };
    if episode.state == AlertState::Resolved {
        lines.pop();
        lines.push(format!("持续 {}。", length(minutes(episode))));
    }
    if episode.found_late {
        lines.push("事后发现：数据到达时已恢复。".to_owned());
    }
    let store = if place.store.is_empty() { String::new() } else { format!("{}：", place.store) };
    let over = if episode.state == AlertState::Resolved { "【已恢复】" } else { "" };
    Told { title: format!("{over}{store}{title}"), lines }
}

fn success_rate(episode: &Episode, place: &Where, provider: &str) -> (String, Vec<String>) {
    let Evidence::SuccessRateDrop { from, until, failed, of, usual, surprise, .. } = &episode.evidence else {
        return Default::default();
    };
    let title = if *of < PERCENT_FROM {
        format!("{provider} {} 笔中有 {} 笔失败", count(*of), count(*failed))
    } else {
        #[expect(clippy::cast_precision_loss, reason = "a share that is told")]
        let now = success(*failed as f64, *of);
        format!("{provider}的支付成功率由 {} 降至 {now}", success(*usual, *of))
    };
    #[expect(clippy::cast_possible_truncation, reason = "at most what was counted")]
    let lost = (*failed - usual.round() as i64).max(0);
    let cost = episode.loss.map_or_else(String::new, |loss| format!("，约 {}", money(loss)));
    let lines = vec![
        format!(
            "{} 至 {}，{} 笔中失败 {} 笔，通常约 {} 笔。",
            moment(*from, place),
            moment(*until, place),
            count(*of),
            count(*failed),
            about(*usual)
        ),
        format!("目前损失约 {} 笔{cost}。", count(lost)),
        chance(surprise),
        format!(
            "建议：查看{provider}失败交易及错误码，对比其他支付机构；先引导顾客换一种支付方式，并联系{provider}。"
        ),
    ];
    (title, lines)
}

fn silence(episode: &Episode, place: &Where, provider: &str) -> (String, Vec<String>) {
    let Evidence::TrafficSilence { last_order, exact, until, usual, surprise, .. } = &episode.evidence else {
        return Default::default();
    };
    let whole_store = episode.scope.provider.is_none();
    let gap = length((*until - *last_order).num_minutes().max(0));
    let title = if whole_store {
        format!("全店已 {gap}没有交易")
    } else {
        format!("{provider}已 {gap}没有交易")
    };
    let last = if *exact { "最后一笔在" } else { "最后一笔不晚于" };
    let next = if whole_store {
        "建议：先确认是否正常营业；若在营业，请检查收银网络和数据上报（见“导入”页）。"
    } else {
        "建议：试付一笔；若能成功，请检查数据上报（见“导入”页），否则联系支付机构。"
    };
    let lines = vec![
        format!("这段时间通常约有 {} 笔，{last} {}。", about(*usual), moment(*last_order, place)),
        episode.loss.map_or_else(
            || "影响金额暂无法估算。".to_owned(),
            |loss| format!("这段时间的交易额通常约为 {}。", money(loss)),
        ),
        chance(surprise),
        next.to_owned(),
    ];
    (title, lines)
}

fn bill(episode: &Episode, place: &Where, provider: &str) -> (String, Vec<String>) {
    let Evidence::SettlementLate { first_day, last_day, missing, due_at, had_days, of_days, sales, currency } =
        &episode.evidence
    else {
        return Default::default();
    };
    let days = days(*first_day, *last_day);
    let lines = vec![
        format!(
            "商户号 {} 的 {days}账单应在 {} 前到达，共缺 {missing} 天；此前 {of_days} 天中有 {had_days} 天收到账单。",
            episode.scope.subject,
            moment(*due_at, place),
        ),
        match (sales, currency) {
            (Some(minor), Some(currency)) => {
                format!("待核对金额 {}。", money(Loss { minor: *minor, currency: *currency }))
            }
            _ => "涉及金额未知。".to_owned(),
        },
        "确定：系统中没有该账单的任何一行。".to_owned(),
        format!("建议：到{provider}商户平台下载账单并导入；在此之前，{days}的手续费和对账不完整。"),
    ];
    (format!("{provider} {days}账单未到"), lines)
}

fn fees(episode: &Episode, provider: &str) -> (String, Vec<String>) {
    let Evidence::FeeMismatch {
        first_day,
        last_day,
        count: payments,
        amount,
        charged,
        expected,
        currency,
        reference_ppm,
        by_contract,
        ..
    } = &episode.evidence
    else {
        return Default::default();
    };
    let charged_rate = percent_of_ppm(super::super::fees::ppm_of(*charged, *amount));
    let reference = percent_of_ppm(*reference_ppm);
    let says = if *by_contract { "签约费率为" } else { "此前为" };
    let in_money = |minor: i128| money(Loss { minor, currency: *currency });
    let lines = vec![
        format!(
            "{}共 {} 笔、{}，手续费 {}，应为 {}。",
            days(*first_day, *last_day),
            count(*payments),
            in_money(*amount),
            in_money(*charged),
            in_money(*expected)
        ),
        format!("目前多收 {}。", in_money(*charged - *expected)),
        if *by_contract {
            "确定：不是四舍五入造成的。".to_owned()
        } else {
            "不是四舍五入造成的；因未录入签约费率，这里与此前的实际费率比较。".to_owned()
        },
        format!("建议：查看这些天的手续费明细，凭账单向{provider}追回差额。"),
    ];
    (format!("{provider}实际费率 {charged_rate}，{says} {reference}"), lines)
}

fn refunds(episode: &Episode, place: &Where) -> (String, Vec<String>) {
    let Evidence::RefundSpike { from, until, refunds, usual, amount, currency, surprise, operator, .. } =
        &episode.evidence
    else {
        return Default::default();
    };
    let by = operator
        .as_ref()
        .map_or_else(String::new, |(name, own)| format!("其中 {} 笔由 {name} 操作。", count(*own)));
    let lines = vec![
        format!("{} 至 {}，通常约 {} 笔。{by}", moment(*from, place), moment(*until, place), about(*usual)),
        currency.map_or_else(
            || "涉及多个币种。".to_owned(),
            |currency| format!("共退款 {}。", money(Loss { minor: *amount, currency })),
        ),
        chance(surprise),
        "建议：查看这些退款由谁操作、原因是什么、货物是否收回。".to_owned(),
    ];
    (format!("退款 {} 笔，通常约 {} 笔", count(*refunds), about(*usual)), lines)
}

fn trouble(episode: &Episode, place: &Where) -> (String, Vec<String>) {
    match &episode.evidence {
        Evidence::JobFailed { failures, last_success, error } => {
            let last = last_success
                .map_or_else(|| "从未成功过".to_owned(), |at| format!("上次成功是 {}", moment(at, place)));
            let lines = vec![
                format!("{last}，最近一次错误：{error}。"),
                "数据可能不是最新的。".to_owned(),
                "确定。".to_owned(),
                "建议：查看当时的日志；任务会继续重试。".to_owned(),
            ];
            (format!("后台任务 {} 连续失败 {failures} 次", episode.scope.subject), lines)
        }
        Evidence::IngestLag { oldest, batches, rows, queue_full } => {
            let since =
                oldest.map_or_else(String::new, |at| format!("，最早的一批自 {} 起等待", moment(at, place)));
            let full =
                if *queue_full { "接收队列已满，发送方会被要求稍后重试。" } else { "" };
            let lines = vec![
                format!("{} 条记录（{} 批）等待入账{since}。{full}", count(*rows), count(*batches)),
                "数据没有丢失，但统计不是最新的；在此期间交易类告警暂停判断。".to_owned(),
                "确定。".to_owned(),
                "建议：在“状态”页查看任务 fold 和磁盘空间。".to_owned(),
            ];
            ("有记录等待入账".to_owned(), lines)
        }
        _ => Default::default(),
    }
}

fn chance(surprise: &Surprise) -> String {
    format!("若无故障，这种情况 {} 周也难得出现一次。", count(weeks_by_chance(surprise)))
}

fn moment(at: Instant, place: &Where) -> String {
    let local = local(at, place.zone);
    format!("{}月{}日 {}", local.month, local.day, local.time)
}

fn date(day: NaiveDate) -> String {
    format!("{}月{}日", day.month(), day.day())
}

fn days(first: NaiveDate, last: NaiveDate) -> String {
    if first == last { date(first) } else { format!("{}至{}", date(first), date(last)) }
}

fn length(minutes: i64) -> String {
    match (minutes / 1440, minutes / 60 % 24, minutes % 60) {
        (0, 0, minutes) => format!("{minutes} 分钟"),
        (0, hours, 0) => format!("{hours} 小时"),
        (0, hours, minutes) => format!("{hours} 小时 {minutes} 分钟"),
        (days, 0, _) => format!("{days} 天"),
        (days, hours, _) => format!("{days} 天 {hours} 小时"),
    }
}
