use std::fmt::Write as _;
use std::io::Write;

use super::super::super::Pseudonyms;
use super::super::{BillContext, FileHints, Line, XmlFault, read_bill};
use super::*;
use crate::domain::{LedgerLine, StoreId, instant_from_ms};

const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
const OFFICE: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const PACKAGE: &str = "http://schemas.openxmlformats.org/package/2006/relationships";

/// A workbook with these sheets (state, rows as XML) and shared texts.
fn workbook(sheets: &[(&str, &str)], texts: &[&str], is_1904: bool) -> Vec<u8> {
    let (mut list, mut relations) = (String::new(), String::new());
    for number in 1..=sheets.len() {
        let state = sheets[number - 1].0;
        write!(list, "<sheet name=\"s{number}\" sheetId=\"{number}\" state=\"{state}\" r:id=\"r{number}\"/>")
            .unwrap();
        write!(relations, "<Relationship Id=\"r{number}\" Type=\"{OFFICE}/worksheet\" Target=\"worksheets/sheet{number}.xml\"/>").unwrap();
    }
    let shared: String = texts.iter().fold(String::new(), |all, text| all + "<si><t>" + text + "</t></si>");
    let date = u8::from(is_1904);
    let mut parts = vec![
        (
            "xl/workbook.xml".to_owned(),
            format!(
                "<workbook xmlns=\"{MAIN}\" xmlns:r=\"{OFFICE}\"><workbookPr date1904=\"{date}\"/><sheets>{list}</sheets></workbook>"
            ),
        ),
        (
            "xl/_rels/workbook.xml.rels".to_owned(),
            format!(
                "<Relationships xmlns=\"{PACKAGE}\">{relations}<Relationship Id=\"s\" Type=\"{OFFICE}/sharedStrings\" Target=\"/xl/sharedStrings.xml\"/><Relationship Id=\"t\" Type=\"{OFFICE}/styles\" Target=\"styles.xml\"/></Relationships>"
            ),
        ),
        // What a part claims to hold is not believed: memory is not set aside for it.
        (
            "xl/sharedStrings.xml".to_owned(),
            format!(
                "<sst xmlns=\"{MAIN}\" count=\"99999999999999\" uniqueCount=\"99999999999999\">{shared}</sst>"
            ),
        ),
        (
            "xl/styles.xml".to_owned(),
            format!(
                "<styleSheet xmlns=\"{MAIN}\"><numFmts><numFmt numFmtId=\"164\" formatCode=\"yyyy\\-mm\\-dd\"/></numFmts><cellStyleXfs><xf numFmtId=\"14\"/></cellStyleXfs><cellXfs><xf numFmtId=\"0\"/><xf numFmtId=\"22\"/><xf numFmtId=\"164\"/></cellXfs></styleSheet>"
            ),
        ),
    ];
    for (number, (_, rows)) in sheets.iter().enumerate() {
        parts.push((format!("xl/worksheets/sheet{}.xml", number + 1), format!("<worksheet xmlns=\"{MAIN}\"><dimension ref=\"A1:XFD1048576\"/><sheetData>{rows}</sheetData></worksheet>")));
    }
    zip_of(&parts)
}

fn zip_of(parts: &[(String, String)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, text) in parts {
        zip.start_file(name.as_str(), zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// Lines of text as rows of a sheet, every cell a text.
fn rows_of(lines: &[Vec<String>]) -> String {
    let mut rows = String::new();
    for (number, cells) in lines.iter().enumerate() {
        write!(rows, "<row r=\"{}\">", number + 1).unwrap();
        for cell in cells {
            let cell = cell.replace('&', "&amp;").replace('<', "&lt;");
            write!(rows, "<c t=\"inlineStr\"><is><t>{cell}</t></is></c>").unwrap();
        }
        rows.push_str("</row>");
    }
    rows
}

fn open(bytes: &[u8], opening: Opening<'_>) -> Result<Spool, Refusal> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let opened = Spool::open(file.path(), scratch.path(), opening);
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0, "nothing has a name");
    opened.map_err(|error| match error {
        SpoolError::Refused(refusal) => refusal,
        SpoolError::Io(error) => panic!("{error}"),
    })
}

fn lines(bytes: &[u8]) -> Result<Vec<String>, Refusal> {
    Ok(open(bytes, Opening::default())?.head(100).unwrap())
}

fn fixture(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bills");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

/// The rows of a bill, however it is packed.
fn bill(bytes: &[u8]) -> Vec<LedgerLine> {
    let spool = open(bytes, Opening::default()).unwrap();
    let format = recognise(&spool.head(HEAD_LINES_MAX).unwrap()).unwrap();
    let pseudonyms = Pseudonyms::new([7; 32]);
    let hints = FileHints::default();
    let now = instant_from_ms(1_795_564_800_000);
    let context = BillContext { store: StoreId(1), now, file: "f", pseudonyms: &pseudonyms, hints: &hints };
    let mut rows = Vec::new();
    read_bill(&spool, format, &context, |line, _| {
        if let Line::Row(row) = line {
            rows.push(*row);
        }
        Ok(())
    })
    .unwrap();
    rows
}

#[test]
fn a_bill_saved_as_a_workbook_gives_the_same_rows() {
    for name in ["synthetic_v3_tradebill_ALL_edge_cases.csv", "synthetic_trade_detail.utf8.csv"] {
        let text = fixture(name);
        let split = |line: &str| -> Vec<String> {
            match line.strip_prefix('`') {
                Some(rest) => rest.split(",`").map(str::to_owned).collect(),
                None => line.split(',').map(str::to_owned).collect(),
            }
        };
        let table: Vec<Vec<String>> = text.lines().map(split).collect();
        let book = workbook(&[("visible", &rows_of(&table))], &[], false);
        let (of_book, of_text) = (bill(&book), bill(text.as_bytes()));
        assert!(!of_text.is_empty());
        assert!(of_book == of_text, "{name}");
    }
}

#[test]
fn cells_of_every_kind_become_text() {
    let rows = "<row r=\"2\"><c r=\"A2\" t=\"s\"><v>1</v></c><c r=\"C2\"><v>12.5</v></c><c t=\"b\"><v>1</v></c><c t=\"e\"><v>#N/A</v></c></row>\
        <row r=\"4\"><c r=\"A4\" s=\"1\"><v>46346.385416666664</v></c><c r=\"B4\" s=\"2\"><v>46346</v></c><c r=\"C4\" t=\"str\"><f>A1&amp;B1</f><v>a, \"b\"</v></c>\
        <c r=\"D4\" t=\"d\"><v>2026-11-20T09:15:00</v></c><c r=\"E4\"><v>4.2000000012026113E+27</v></c><c r=\"F4\" s=\"9\"/></row>";
    let book = workbook(&[("visible", rows)], &["one", "two\nlines"], false);
    let found = lines(&book).unwrap();
    assert_eq!(found[0], "");
    assert_eq!(found[1], "two lines,,12.5,TRUE,#N/A");
    assert_eq!(
        found[3],
        "2026-11-20 09:15:00,2026-11-20 00:00:00,\"a, \"\"b\"\"\",2026-11-20 09:15:00,4.20000000120261E+27"
    );
    let later = workbook(&[("visible", "<row><c s=\"2\"><v>44884</v></c></row>")], &[], true);
    assert_eq!(lines(&later).unwrap(), ["2026-11-20 00:00:00"]);
}

#[test]
fn the_sheet_that_is_a_bill_is_the_one_that_is_read() {
    let bill = rows_of(&[fixture("synthetic_trade_detail.utf8.csv")].map(|text| {
        text.lines()
            .find(|line| line.contains("支付宝交易号"))
            .unwrap()
            .split(',')
            .map(str::to_owned)
            .collect()
    }));
    let notes = rows_of(&[vec!["notes".to_owned()]]);
    let book = workbook(&[("visible", &notes), ("visible", &bill)], &[], false);
    assert!(lines(&book).unwrap()[0].contains("支付宝交易号"));
    let two = workbook(&[("visible", &bill), ("visible", &bill)], &[], false);
    assert_eq!(lines(&two).unwrap_err(), Refusal::WorkbookSheets(2));
    let hidden = workbook(&[("visible", &bill), ("hidden", &bill)], &[], false);
    assert!(lines(&hidden).is_ok());
    let plain = workbook(
        &[("visible", &notes), ("visible", &rows_of(&[vec!["No".into(), "Sum".into()]]))],
        &[],
        false,
    );
    assert_eq!(lines(&plain).unwrap(), ["notes"]);
    let fits = |head: &[String]| head[0].starts_with("No");
    let opened = open(&plain, Opening { fits: Some(&fits), ..Opening::default() }).unwrap();
    assert_eq!(opened.head(9).unwrap(), ["No,Sum"]);
}

#[test]
fn trap_workbooks_beyond_limits_are_refused_by_name() {
    let sheet = |rows: &str| lines(&workbook(&[("visible", rows)], &["x"], false));
    let refused = |rows: &str| sheet(rows).unwrap_err();
    assert_eq!(refused("<row r=\"1\"><c r=\"XFD1\"><v>1</v></c></row>").code(), "workbook_columns");
    assert_eq!(refused("<row r=\"1048577\"><c><v>1</v></c></row>").code(), "workbook_rows");
    assert_eq!(refused("<row r=\"5\"/><row r=\"5\"/>"), Refusal::WorkbookDamaged);
    assert_eq!(refused("<row r=\"1\"><c t=\"s\"><v>7</v></c></row>"), Refusal::WorkbookDamaged);
    assert_eq!(refused("<row r=\"1\"><c r=\"7\"><v>7</v></c></row>"), Refusal::WorkbookDamaged);
    assert_eq!(refused(""), Refusal::Empty);
    assert_eq!(refused(&"<x>".repeat(99)).code(), "xml_depth");
    assert_eq!(refused("<row><c><v>&lol;</v></c></row>"), Refusal::Xml(XmlFault::Entity));
    let much = " ".repeat(1 << 20);
    assert_eq!(refused(&format!("<row><c><v>{much}</v></c></row>")).code(), "xml_piece");
    let rows = format!("<x>{}</x>", " ".repeat(200 << 10)).repeat(60);
    assert_eq!(refused(&rows), Refusal::Bomb);
    let far = sheet("<row r=\"1\"><c><v>1</v></c></row><row r=\"1048576\"><c><v>2</v></c></row>").unwrap();
    assert_eq!(far[0], "1");
    let empty = zip_of(&[("xl/workbook.xml".to_owned(), String::new())]);
    assert_eq!(lines(&empty).unwrap_err(), Refusal::WorkbookDamaged);
    let book = workbook(&[("visible", "<row><c><v>1</v></c></row>")], &[], false);
    assert!(matches!(lines(&book[..book.len() / 2]).unwrap_err(), Refusal::ArchiveDamaged | Refusal::CutOff));
}

#[test]
fn old_and_locked_workbooks_say_what_to_do() {
    let mut bytes = vec![0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1];
    bytes.resize(1_024, 0);
    assert_eq!(lines(&bytes).unwrap_err(), Refusal::Workbook);
    bytes.extend("EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes));
    assert_eq!(lines(&bytes).unwrap_err(), Refusal::WorkbookLocked);
}

#[test]
fn a_locked_archive_opens_with_its_password() {
    let text = fixture("synthetic_trade_detail.utf8.csv");
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options =
        zip::write::SimpleFileOptions::default().with_aes_encryption(zip::AesMode::Aes256, "secret");
    zip.start_file("a.csv", options).unwrap();
    zip.write_all(text.as_bytes()).unwrap();
    let locked = zip.finish().unwrap().into_inner();
    let with = |password| open(&locked, Opening { password, ..Opening::default() });
    assert_eq!(with(None).unwrap_err(), Refusal::PasswordNeeded { wrong: false });
    assert_eq!(with(Some("guess")).unwrap_err(), Refusal::PasswordNeeded { wrong: true });
    assert!(with(Some("secret")).unwrap().head(9).unwrap().iter().any(|line| line.contains("支付宝")));
    // An archive that needs none does not mind one.
    let open_zip = zip_of(&[("a.csv".to_owned(), text)]);
    assert!(open(&open_zip, Opening { password: Some("x"), ..Opening::default() }).is_ok());
}
