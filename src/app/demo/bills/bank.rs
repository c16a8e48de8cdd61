use std::fmt::Write as _;

use chrono::NaiveDate;

use super::yuan;

/// Longer than any card number, so that it is not taken for one.
pub const ACCOUNTS: [&str; 2] = ["31050161364000000123", "51050148850800000456"];

/// What a bank books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Booking {
    /// Fen; less than 0 leaves the account.
    pub fen: i64,
    pub text: String,
}

/// A statement of one day, camt.053 version 8.
pub fn statement(account: &str, day: NaiveDate, opening: i64, bookings: &[Booking]) -> (String, Vec<u8>) {
    let closing = opening + bookings.iter().map(|booking| booking.fen).sum::<i64>();
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.053.001.08\"><BkToCstmrStmt>\n\
         <GrpHdr><MsgId>DEMO-{day}</MsgId><CreDtTm>{day}T23:59:00+08:00</CreDtTm></GrpHdr>\n\
         <Stmt><Id>{account}-{day}</Id><CreDtTm>{day}T23:59:00+08:00</CreDtTm>\
         <Acct><Id><Othr><Id>{account}</Id></Othr></Id><Ccy>CNY</Ccy></Acct>\n"
    );
    push_balance(&mut text, "OPBD", day, opening);
    push_balance(&mut text, "CLBD", day, closing);
    for (place, booking) in bookings.iter().enumerate() {
        push_booking(&mut text, day, place, booking);
    }
    text.push_str("</Stmt></BkToCstmrStmt></Document>\n");
    (format!("对账单_{account}_{day}.xml"), text.into_bytes())
}

const fn side(fen: i64) -> &'static str {
    if fen < 0 { "DBIT" } else { "CRDT" }
}

fn push_balance(text: &mut String, code: &str, day: NaiveDate, fen: i64) {
    let (amount, side) = (yuan(fen.abs()), side(fen));
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy=\"CNY\">{amount}</Amt>\
         <CdtDbtInd>{side}</CdtDbtInd><Dt><Dt>{day}</Dt></Dt></Bal>"
    );
}

fn push_booking(text: &mut String, day: NaiveDate, place: usize, booking: &Booking) {
    let (amount, side) = (yuan(booking.fen.abs()), side(booking.fen));
    let number = day.format("%Y%m%d");
    let _ = writeln!(
        text,
        "<Ntry><NtryRef>{place}</NtryRef><Amt Ccy=\"CNY\">{amount}</Amt><CdtDbtInd>{side}</CdtDbtInd>\
         <Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>{day}</Dt></BookgDt><ValDt><Dt>{day}</Dt></ValDt>\
         <AcctSvcrRef>B{number}{place:04}</AcctSvcrRef><BkTxCd><Domn><Cd>PMNT</Cd></Domn></BkTxCd>\
         <NtryDtls><TxDtls><RmtInf><Ustrd>{}</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>",
        booking.text
    );
}
