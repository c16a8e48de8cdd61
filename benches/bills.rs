//! How fast bills become ledger rows, beside what decoding and dividing alone cost; and how much memory that takes: see
//! `README.md` beside this file.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use tillwatch::domain::{StoreId, instant_from_ms};
use tillwatch::intake::bills::{BillContext, HEAD_LINES_MAX, Line, Spool, read_bill, recognise};
use tillwatch::intake::{FileHints, Pseudonyms};

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rows of the files that are timed, unless the command says otherwise.
const ROWS: u64 = 400_000;
/// Times that each file is read; the best counts, as the machine may be busy.
const TIMES: usize = 5;
/// The aim: rows a second on one core.
const AIM_RATE: f64 = 300_000.0;
/// Sizes of the files whose memory is told, in megabytes.
const SIZES_MB: [u64; 4] = [10, 100, 500, 2_000];
/// Rows on their way to the inbox at one time, as in the program.
const CHUNK_ROWS: usize = 10_000;
/// After the days of the bills.
const NOW_MS: i64 = 1_795_564_800_000;

fn main() -> anyhow::Result<()> {
    // `cargo bench` adds `--bench`; `cargo test --benches` calls without it and wants no measuring.
    let arguments: Vec<String> = std::env::args().collect();
    if !arguments.iter().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let folder = tempfile::tempdir().context("making a folder")?;
    if arguments.iter().any(|argument| argument == "memory") {
        return memory(folder.path());
    }
    let rows = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(ROWS);
    println!(
        "{:<22} {:>9} {:>12} {:>12} {:>12} {:>12} {:>7}",
        "bill", "MB", "decode/s", "divide/s", "rows/s", "aim", "ratio"
    );
    for bill in [Bill::Wechat, Bill::Alipay] {
        rate(folder.path(), bill, rows)?;
    }
    Ok(())
}

/// Which bill is made.
#[derive(Clone, Copy)]
enum Bill {
    Wechat,
    Alipay,
}

impl Bill {
    const fn name(self) -> &'static str {
        match self {
            Self::Wechat => "WeChat Pay ALL, UTF-8",
            Self::Alipay => "Alipay trade, GB18030",
        }
    }

    /// What stands between two cells.
    const fn between(self) -> &'static str {
        match self {
            Self::Wechat => ",`",
            Self::Alipay => ",",
        }
    }

    fn write(self, path: &Path, rows: u64) -> anyhow::Result<()> {
        let mut file = BufWriter::new(File::create(path)?);
        let (head, foot) = match self {
            Self::Wechat => wechat_frame(rows),
            Self::Alipay => alipay_frame(rows),
        };
        let encoded = |text: &str| match self {
            Self::Wechat => text.as_bytes().to_vec(),
            Self::Alipay => encoding_rs::GB18030.encode(text).0.into_owned(),
        };
        file.write_all(&encoded(&head))?;
        for number in 0..rows {
            let row = match self {
                Self::Wechat => wechat_row(number),
                Self::Alipay => alipay_row(number),
            };
            file.write_all(&encoded(&row))?;
        }
        file.write_all(&encoded(&foot))?;
        file.flush().context("writing the bill")
    }
}

/// Second of the day that a row was paid.
fn clock(number: u64) -> String {
    let second = number % 86_400;
    format!("2026-11-20 {:02}:{:02}:{:02}", second / 3_600, second / 60 % 60, second % 60)
}

/// A tenth of the rows are refunds of 28.00, the others payments of 128.00.
const fn is_refund(number: u64) -> bool {
    number % 10 == 9
}

fn wechat_row(number: u64) -> String {
    let (at, shopper) = (clock(number), number % 50_000);
    if is_refund(number) {
        return format!(
            "`{at},`wx0123456789abcdef,`1900000109,`0,`POS-01,`42000000012026112{number:013},`SYN2026112{number:09},`oABC_user_{shopper:08},`JSAPI,`REFUND,`OTHERS,`CNY,`0.00,`0.00,`5030000001202611{number:014},`SYNR2026112{number:09},`28.00,`0.00,`ORIGINAL,`SUCCESS,`咖啡礼盒\\ 双人装,`{{\"store\":\"SH-001\"}},`-0.17000,`0.60%,`0.00,`28.00,`\n"
        );
    }
    format!(
        "`{at},`wx0123456789abcdef,`1900000109,`0,`POS-01,`42000000012026112{number:013},`SYN2026112{number:09},`oABC_user_{shopper:08},`JSAPI,`SUCCESS,`CMB_CREDIT,`CNY,`128.00,`0.00,`0,`0,`0.00,`0.00,`,`,`咖啡礼盒\\ 双人装,`{{\"store\":\"SH-001\"}},`0.77000,`0.60%,`128.00,`0.00,`\n"
    )
}

fn wechat_frame(rows: u64) -> (String, String) {
    let head = "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注\n";
    let (paid, back) = (rows - rows / 10, rows / 10);
    let fees = paid * 77 - back * 17;
    let foot = format!(
        "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额\n`{rows},`{}.00,`{}.00,`0.00,`{}.{:02}000,`{}.00,`{}.00\n",
        paid * 128,
        back * 28,
        fees / 100,
        fees % 100,
        paid * 128,
        back * 28,
    );
    (head.to_owned(), foot)
}

fn alipay_row(number: u64) -> String {
    let at = clock(number);
    let (kind, amount, refund, fee) = if is_refund(number) {
        ("退款", "-28.00", format!("SYNAR2026{number:09}"), "0.17")
    } else {
        ("交易", "128.00", String::new(), "-0.77")
    };
    format!(
        "2026112022001{number:015}\t,SYNA2026{number:09}\t,{kind}\t,咖啡礼盒,{at},{at},SH-001\t,上海一店\t,op1\t,T01\t,*三(138****0000)\t,{amount},{amount},0.00,0.00,0.00,0.00,0.00,,0.00\t,0.00,{refund}\t,{fee},0.00,花呗\n"
    )
}

fn alipay_frame(rows: u64) -> (String, String) {
    let head = "#支付宝业务明细查询\n#账号：[20880000000000010156]\n#起始日期：[2026年11月20日 00:00:00]   终止日期：[2026年11月21日 00:00:00]\n#-----业务明细列表-----\n支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,订单金额（元）,商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注\n";
    let (paid, back) = (rows - rows / 10, rows / 10);
    let foot = format!(
        "#-----业务明细列表结束-----\n#交易合计：{paid}笔，商家实收共{}.00元，商家优惠共0.00元\n#退款合计：{back}笔，商家实收退款共-{}.00元，商家优惠退款共0.00元\n",
        paid * 128,
        back * 28,
    );
    (head.to_owned(), foot)
}

/// Seconds that the fastest of several runs took.
fn best(mut run: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let mut best = f64::MAX;
    for _ in 0..TIMES {
        let timer = Instant::now();
        run()?;
        best = best.min(timer.elapsed().as_secs_f64());
    }
    Ok(best)
}

/// Reads the text of a bill into ledger rows, and throws them away a chunk at a time.
fn read(spool: &Spool) -> anyhow::Result<u64> {
    let pseudonyms = Pseudonyms::new([7; 32]);
    let hints = FileHints::default();
    let now = instant_from_ms(NOW_MS);
    let context = BillContext { store: StoreId(1), now, file: "0", pseudonyms: &pseudonyms, hints: &hints };
    let format = recognise(&spool.head(HEAD_LINES_MAX)?)?;
    let mut chunk = Vec::with_capacity(CHUNK_ROWS);
    let examined = read_bill(spool, format, &context, |line, _| {
        if let Line::Row(row) = line {
            chunk.push(row);
        }
        if chunk.len() == CHUNK_ROWS {
            chunk.clear();
        }
        Ok(())
    })?;
    anyhow::ensure!(examined.lines.rejected == 0, "{} lines were rejected", examined.lines.rejected);
    Ok(examined.lines.accepted)
}

/// The reference: the lines of the text, divided into cells, and nothing made of them.
fn divide(spool: &Spool, between: &str) -> anyhow::Result<u64> {
    let mut cells = 0;
    spool.lines(|_, text, _| {
        cells +=
            u64::try_from(text.split(between).map(str::len).filter(|bytes| *bytes > 0).count()).unwrap_or(0);
        Ok(())
    })?;
    Ok(cells)
}

fn rate(folder: &Path, bill: Bill, rows: u64) -> anyhow::Result<()> {
    let path = folder.join("bill.csv");
    bill.write(&path, rows)?;
    let decoding = best(|| Spool::of(&path, folder, None).map(drop).context("decoding"))?;
    let spool = Spool::of(&path, folder, None)?;
    let dividing = best(|| {
        anyhow::ensure!(divide(&spool, bill.between())? > rows);
        Ok(())
    })?;
    let reading = best(|| {
        anyhow::ensure!(read(&spool)? == rows, "not every row was read");
        Ok(())
    })?;
    let per_second = |seconds: f64| count(rows) / seconds;
    let rate = per_second(reading);
    println!(
        "{:<22} {:>9.1} {:>12.0} {:>12.0} {:>12.0} {:>12} {:>7.1}",
        bill.name(),
        count(std::fs::metadata(&path)?.len()) / 1e6,
        per_second(decoding),
        per_second(dividing),
        rate,
        if rate >= AIM_RATE { "met" } else { "missed" },
        reading / dividing,
    );
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn count(number: u64) -> f64 {
    number as f64
}

/// Peak memory of decoding and reading, by the size of the file.
fn memory(folder: &Path) -> anyhow::Result<()> {
    println!("{:<22} {:>9} {:>14} {:>14}", "bill", "MB", "peak MB", "MB at rest");
    for megabytes in SIZES_MB {
        let path = folder.join("bill.csv");
        let rows = megabytes * 1_000_000 / u64::try_from(wechat_row(1).len())?;
        Bill::Wechat.write(&path, rows)?;
        let rest = resident("VmRSS")?;
        // Linux: the peak begins anew.
        std::fs::write("/proc/self/clear_refs", "5").context("forgetting the peak")?;
        let spool = Spool::of(&path, folder, None)?;
        anyhow::ensure!(read(&spool)? == rows, "not every row was read");
        println!("{:<22} {megabytes:>9} {:>14.1} {rest:>14.1}", Bill::Wechat.name(), resident("VmHWM")?);
    }
    Ok(())
}

/// Megabytes of this process, as the kernel counts them.
fn resident(field: &str) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with(field)).context("no such field")?;
    let kilobytes: f64 = line.split_whitespace().nth(1).context("no number")?.parse()?;
    Ok(kilobytes / 1024.0)
}
