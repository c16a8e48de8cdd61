//! `:86:`, what a booking is about: numbered parts (`?20…`), codes between slashes (`/EREF/…`), or plain text.

/// Width at which banks wrap: a line that full goes on without a space.
const WRAP_CHARS: usize = 65;
/// Codes of payments in the euro area, inside the numbered parts.
const SEPA: [&str; 16] = [
    "EREF", "KREF", "MREF", "CRED", "DEBT", "COAM", "OAMT", "SVWZ", "ABWA", "ABWE", "IBAN", "BIC", "PURP",
    "RREF", "BREF", "RETR",
];
/// Codes between slashes.
const SLASHED: [&str; 27] = [
    "EREF", "KREF", "MARF", "CSID", "BENM", "ORDP", "NAME", "IBAN", "BIC", "ADDR", "REMI", "ISDT", "TRTP",
    "PREF", "RREF", "RTRN", "ULTC", "ULTD", "PURP", "TRCD", "SVCL", "CREF", "CNTP", "ID", "OCMT", "CHGS",
    "EXCH",
];

/// What a booking's text says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// Business transaction code: `166`.
    pub code: String,
    /// The bank's words for it: `GUTSCHRIFT`.
    pub title: String,
    /// Further key; of money that came back, the reason.
    pub key: String,
    pub end_to_end: String,
    pub customer_reference: String,
    pub purpose: String,
    pub name: String,
    pub account: String,
}

impl Text {
    /// Reads the value of a field.
    pub fn parse(value: &str) -> Self {
        let joined: String = value.split('\n').collect();
        if let Some((code, parts)) = numbered(&joined) {
            return Self::of_parts(code, &parts);
        }
        if joined.starts_with('/') {
            return Self::of_codes(&joined);
        }
        Self { purpose: unwrapped(value), ..Self::default() }
    }

    fn of_parts(code: &str, parts: &[(u8, &str)]) -> Self {
        let mut text = Self { code: code.to_owned(), ..Self::default() };
        let (mut purpose, mut starts) = (String::new(), Vec::new());
        for (number, part) in parts {
            match number {
                0 => (*part).trim().clone_into(&mut text.title),
                20..=29 | 60..=63 => {
                    starts.push(purpose.len());
                    purpose.push_str(part);
                }
                31 => (*part).trim().clone_into(&mut text.account),
                32 | 33 => text.name.push_str(part),
                34 => (*part).trim().clone_into(&mut text.key),
                _ => {}
            }
        }
        text.name = text.name.trim().to_string();
        text.take_purpose(&purpose, &starts);
        text
    }

    /// Divides what the payer wrote by the codes in it.
    fn take_purpose(&mut self, purpose: &str, starts: &[usize]) {
        let mut found: Vec<(usize, usize, &str)> = Vec::new();
        for code in SEPA {
            for sign in ["+", ": "] {
                let marks = purpose.match_indices(code);
                found.extend(
                    marks
                        .filter(|(at, _)| purpose[at + code.len()..].starts_with(sign))
                        .map(|(at, _)| (at, at + code.len() + sign.len(), code)),
                );
            }
        }
        let notes = starts.iter().filter(|at| purpose[**at..].starts_with("MTLG:"));
        found.extend(notes.map(|at| (*at, at + "MTLG:".len(), "MTLG")));
        found.sort_unstable();
        let first = found.first().map_or(purpose.len(), |(at, _, _)| *at);
        let mut plain = vec![purpose[..first].trim()];
        for (place, (_, from, code)) in found.iter().enumerate() {
            let until = found.get(place + 1).map_or(purpose.len(), |(at, _, _)| *at);
            let value = purpose.get(*from..until).unwrap_or_default().trim();
            match *code {
                "EREF" => value.clone_into(&mut self.end_to_end),
                "KREF" => value.clone_into(&mut self.customer_reference),
                "SVWZ" | "MTLG" => plain.push(value),
                "IBAN" if self.account.is_empty() => value.clone_into(&mut self.account),
                "ABWA" | "ABWE" if self.name.is_empty() => value.clone_into(&mut self.name),
                _ => {}
            }
        }
        self.purpose = plain.into_iter().filter(|piece| !piece.is_empty()).collect::<Vec<_>>().join(" ");
    }

    fn of_codes(joined: &str) -> Self {
        let mut text = Self::default();
        let mut found: Vec<(usize, usize, &str)> = Vec::new();
        for code in SLASHED {
            let marked = format!("/{code}/");
            found.extend(joined.match_indices(&marked).map(|(at, _)| (at, at + marked.len(), code)));
        }
        found.sort_unstable();
        for (place, (_, from, code)) in found.iter().enumerate() {
            // The slash that ends one code may begin the next.
            let until = found.get(place + 1).map_or(joined.len(), |(at, _, _)| (*at).max(*from));
            let value = joined.get(*from..until).unwrap_or_default().trim_matches(['/', ' ']);
            match *code {
                "EREF" => value.clone_into(&mut text.end_to_end),
                "KREF" | "CREF" => value.clone_into(&mut text.customer_reference),
                "REMI" => remittance(value).clone_into(&mut text.purpose),
                "IBAN" => value.clone_into(&mut text.account),
                "CNTP" => value.split('/').next().unwrap_or_default().clone_into(&mut text.account),
                "NAME" if text.name.is_empty() => value.clone_into(&mut text.name),
                "RTRN" => value.clone_into(&mut text.key),
                _ => {}
            }
        }
        if found.is_empty() {
            joined.clone_into(&mut text.purpose);
        }
        text
    }
}

/// `USTD//text` is text, `STRD/CUR/reference` a reference.
fn remittance(value: &str) -> &str {
    let plain = ["USTD", "STRD/CUR", "STRD"].into_iter().find_map(|kind| value.strip_prefix(kind));
    plain.unwrap_or(value).trim_matches(['/', ' '])
}

/// `166?00GUTSCHRIFT?20…`: a code, and parts by their numbers. The character between them is the bank's choice.
fn numbered(text: &str) -> Option<(&str, Vec<(u8, &str)>)> {
    let (code, rest) = text.split_at_checked(3)?;
    let mark = rest.chars().next().filter(|mark| !mark.is_alphanumeric() && !mark.is_whitespace())?;
    let number = |part: &str| -> Option<u8> {
        let digits = part.get(..2)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    let is_code = code.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = rest[mark.len_utf8()..].split(mark).collect();
    number(parts.first()?).filter(|_| is_code)?;
    let read = parts.into_iter().filter_map(|part| Some((number(part)?, part.get(2..)?)));
    Some((code, read.collect()))
}

/// Lines as one text: a full line goes on in the next without a space.
fn unwrapped(value: &str) -> String {
    let mut text = String::new();
    let mut is_full = true;
    for line in value.split('\n') {
        if !is_full {
            text.push(' ');
        }
        text.push_str(line);
        is_full = line.chars().count() >= WRAP_CHARS;
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trap_a_structured_text_is_divided_by_its_numbers_and_codes() {
        let text = Text::parse(
            "166?00GUTSCHRIFT?100399?20EREF+EndToEndIdTFNR20004000?2101?22SVWZ\n+TO 13 TFNr 20004 Einga?23ngskanal\n?30PBNKDEFF100?31DE42100100100043921105?32Richter?33 Renate?34914",
        );
        assert_eq!((text.code.as_str(), text.title.as_str()), ("166", "GUTSCHRIFT"));
        assert_eq!(text.end_to_end, "EndToEndIdTFNR2000400001");
        assert_eq!(text.purpose, "TO 13 TFNr 20004 Eingangskanal");
        assert_eq!((text.name.as_str(), text.key.as_str()), ("Richter Renate", "914"));
        assert_eq!(text.account, "DE42100100100043921105");
        let text =
            Text::parse("159?00RETOURE?20EREF+TFNR 40005 00005?21MTLG:Grund nicht s\npezifizie?22rt Reject");
        assert_eq!(text.end_to_end, "TFNR 40005 00005");
        assert_eq!(text.purpose, "Grund nicht spezifiziert Reject");
    }

    #[test]
    fn trap_codes_between_slashes_are_read() {
        let text = Text::parse(
            "/EREF/01-01-2013 12:00 0030000987654321/BENM//NAME/CONTRA ACCOUN\nT HOLDER/REMI//ISDT/2013-07-11",
        );
        assert_eq!(text.end_to_end, "01-01-2013 12:00 0030000987654321");
        assert_eq!((text.name.as_str(), text.purpose.as_str()), ("CONTRA ACCOUNT HOLDER", ""));
        let text = Text::parse("/BENM//NAME/JOHN DOE/REMI/USTD//Reference 201301234/ISDT/2013-01-02");
        assert_eq!((text.name.as_str(), text.purpose.as_str()), ("JOHN DOE", "Reference 201301234"));
        let text = Text::parse("/CNTP/NL32INGB0000012345/INGBNL2A/ING TEST/REMI/STRD/CUR/RF18539007547034/");
        assert_eq!(
            (text.account.as_str(), text.purpose.as_str()),
            ("NL32INGB0000012345", "RF18539007547034")
        );
    }

    #[test]
    fn plain_text_keeps_its_words() {
        let text = Text::parse("GIRO   428428 KPN - DIGITENNE    BETALINGSKENM.  BETREFT\nINCL. 1,44 BTW");
        assert_eq!(text.purpose, "GIRO 428428 KPN - DIGITENNE BETALINGSKENM. BETREFT INCL. 1,44 BTW");
        assert_eq!(Text::parse(""), Text::default());
        assert_eq!(Text::parse("é?€").purpose, "é?€");
    }
}
