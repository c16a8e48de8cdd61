use chrono::{Datelike, Days, NaiveDate};
use encoding_rs::GB18030;
use flate2::Crc;

/// A zip whose entry names are GBK bytes without the flag for UTF-8, as Alipay makes it. The usual
/// libraries write names in UTF-8 only. Nothing is deflated: how well it is may depend on the machine.
pub fn zipped(entries: &[(String, String)], day: NaiveDate) -> Vec<u8> {
    let mut archive = Vec::new();
    let mut directory = Vec::new();
    for (name, content) in entries {
        let name = GB18030.encode(name).0;
        let content = GB18030.encode(content).0;
        let fields = fields(&name, &content, day);
        let offset = u32_of(archive.len());
        push(&mut archive, &[&0x0403_4b50_u32.to_le_bytes(), &fields, &name, &content]);
        // Made by, fields, no comment, first disk, no attributes, where the entry begins.
        push(&mut directory, &[&0x0201_4b50_u32.to_le_bytes(), &20_u16.to_le_bytes(), &fields]);
        push(&mut directory, &[&[0; 10], &offset.to_le_bytes(), &name]);
    }
    let begin = u32_of(archive.len());
    let count = u16::try_from(entries.len()).unwrap_or(u16::MAX).to_le_bytes();
    push(&mut archive, &[&directory, &0x0605_4b50_u32.to_le_bytes(), &[0; 4], &count, &count]);
    push(&mut archive, &[&u32_of(directory.len()).to_le_bytes(), &begin.to_le_bytes(), &[0; 2]]);
    archive
}

/// What local header and directory share, from "version needed" to the lengths.
fn fields(name: &[u8], content: &[u8], day: NaiveDate) -> Vec<u8> {
    let mut crc = Crc::new();
    crc.update(content);
    let after = day + Days::new(1);
    let years = u16::try_from(after.year() - 1980).unwrap_or(0);
    let month_day = u16::try_from(after.month() * 32 + after.day()).unwrap_or(0);
    let (date, time) = (years * 512 + month_day, 9_u16 * 2_048 + 12 * 32 + 20);
    let mut fields = Vec::new();
    for word in [20_u16, 0, 0, time, date] {
        fields.extend(word.to_le_bytes());
    }
    for long in [crc.sum(), u32_of(content.len()), u32_of(content.len())] {
        fields.extend(long.to_le_bytes());
    }
    fields.extend(u16::try_from(name.len()).unwrap_or(0).to_le_bytes());
    fields.extend(0_u16.to_le_bytes());
    fields
}

fn push(to: &mut Vec<u8>, parts: &[&[u8]]) {
    for part in parts {
        to.extend_from_slice(part);
    }
}

/// Bills of a demo are far below four gigabytes.
fn u32_of(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
