use super::consumer::Consumer;

/// Why a whole file is not taken. Nothing of it has gone in.
///
/// Each has a code for machines and a sentence in both languages that says what to do next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.sentence_en())]
pub enum Refusal {
    Empty,
    Directory,
    /// Larger than this many bytes, as stored or unpacked.
    TooLarge(u64),
    /// Compressed far beyond what a bill ever is.
    Bomb,
    /// An archive or a compressed file ends before its end.
    CutOff,
    /// An archive that cannot be read.
    ArchiveDamaged,
    /// The archive needs a password; `wrong` when one was given that does not open it.
    PasswordNeeded {
        wrong: bool,
    },
    /// More entries than an archive of bills has.
    ArchiveEntries(usize),
    /// The archive holds no file that is a bill.
    ArchiveWithoutBill,
    ArchiveSeveralBills(usize),
    /// Bytes that are neither UTF-8 nor GB18030, or not what the mapping says.
    Encoding {
        expected: &'static str,
        line: u64,
    },
    LineTooLong(u64),
    /// A workbook in the form before 2007.
    Workbook,
    WorkbookLocked,
    WorkbookDamaged,
    /// More than a workbook of a bill has, in the words of the limit.
    WorkbookLimit(WorkbookLimit),
    /// Several sheets are bills.
    WorkbookSheets(usize),
    Consumer(Consumer),
    AlipaySummary,
    /// The interface's error answer, saved as a file.
    ErrorAnswer,
    Unknown,
    ColumnMissing(String),
    ColumnTwice(String),
    /// More columns than any report has.
    TooManyColumns(usize),
    ExcelDamaged(u64),
    SummaryMissing,
    TotalsDiffer {
        what: String,
        printed: String,
        computed: String,
    },
    /// The mapping itself is wrong, in the words of its reader.
    Mapping(String),
    /// More transactions than are grouped at once.
    TooManyGroups(usize),
    /// More lines without an id than are told apart.
    TooManyLines(usize),
    /// XML that breaks a limit, or is none.
    Xml(XmlFault),
    /// JSON that breaks a limit, or is none.
    Json {
        line: usize,
        too_long: bool,
    },
    /// A statement that leaves out what its lines need.
    StatementIncomplete {
        /// As the format calls it.
        what: &'static str,
        number: u64,
    },
    BalanceUnreadable {
        line: u64,
        text: String,
    },
    /// A message of the same family that is no statement.
    OtherReport(&'static str),
    /// Which of the addresses in the file is the shop's cannot be told.
    OwnAddressUnknown,
}

/// What a workbook has more of than is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkbookLimit {
    Parts(usize),
    Sheets(usize),
    Columns(usize),
    Rows(u32),
    Cells(u64),
    Texts(usize),
    Styles(usize),
}

impl WorkbookLimit {
    const fn code(self) -> &'static str {
        match self {
            Self::Parts(_) => "workbook_parts",
            Self::Sheets(_) => "workbook_sheet_count",
            Self::Columns(_) => "workbook_columns",
            Self::Rows(_) => "workbook_rows",
            Self::Cells(_) => "workbook_cells",
            Self::Texts(_) => "workbook_texts",
            Self::Styles(_) => "workbook_styles",
        }
    }

    fn sentence_en(self) -> String {
        match self {
            Self::Parts(most) => format!("more than {most} parts"),
            Self::Sheets(most) => format!("more than {most} sheets"),
            Self::Columns(most) => format!("something beyond column {most}"),
            Self::Rows(most) => format!("more than {most} rows"),
            Self::Cells(most) => format!("more than {most} cells"),
            Self::Texts(most) => format!("more than {} MiB of text", most >> 20),
            Self::Styles(most) => format!("more than {most} styles"),
        }
    }

    fn sentence_zh(self) -> String {
        match self {
            Self::Parts(most) => format!("组成部分超过 {most} 个"),
            Self::Sheets(most) => format!("工作表超过 {most} 个"),
            Self::Columns(most) => format!("第 {most} 列之后还有内容"),
            Self::Rows(most) => format!("行数超过 {most}"),
            Self::Cells(most) => format!("单元格超过 {most} 个"),
            Self::Texts(most) => format!("文字超过 {} MiB", most >> 20),
            Self::Styles(most) => format!("样式超过 {most} 种"),
        }
    }
}

/// What is wrong with an XML file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XmlFault {
    /// A document type, with which a small file can be made to grow without end.
    Doctype,
    /// An entity that is none of XML's own.
    Entity,
    /// Elements inside one another beyond this number.
    Depth(usize),
    /// Attributes of one element beyond this number.
    Attributes(usize),
    /// One tag or text longer than this many bytes.
    Piece(u64),
    Broken,
}

impl XmlFault {
    const fn code(self) -> &'static str {
        match self {
            Self::Doctype => "xml_doctype",
            Self::Entity => "xml_entity",
            Self::Depth(_) => "xml_depth",
            Self::Attributes(_) => "xml_attributes",
            Self::Piece(_) => "xml_piece",
            Self::Broken => "xml_broken",
        }
    }

    fn sentence_en(self) -> String {
        match self {
            Self::Doctype => "it has a document type (DOCTYPE), which no bank statement has".into(),
            Self::Entity => "it has an entity of its own, which no bank statement has".into(),
            Self::Depth(most) => format!("its elements stand inside one another more than {most} deep"),
            Self::Attributes(most) => format!("an element has more than {most} attributes"),
            Self::Piece(most) => format!("one of its tags or texts is longer than {} KiB", most >> 10),
            Self::Broken => "it is damaged".into(),
        }
    }

    fn sentence_zh(self) -> String {
        match self {
            Self::Doctype => "含有文档类型声明（DOCTYPE），银行对账单不会有".into(),
            Self::Entity => "含有自定义实体，银行对账单不会有".into(),
            Self::Depth(most) => format!("元素嵌套超过 {most} 层"),
            Self::Attributes(most) => format!("某个元素的属性超过 {most} 个"),
            Self::Piece(most) => format!("某个标签或文本超过 {} KiB", most >> 10),
            Self::Broken => "文件已损坏".into(),
        }
    }
}

impl Refusal {
    /// Stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Directory => "directory",
            Self::TooLarge(_) => "too_large",
            Self::Bomb => "compression_bomb",
            Self::CutOff => "cut_off",
            Self::ArchiveDamaged => "archive_damaged",
            Self::PasswordNeeded { .. } => "password_needed",
            Self::ArchiveEntries(_) => "archive_entries",
            Self::ArchiveWithoutBill => "archive_without_bill",
            Self::ArchiveSeveralBills(_) => "archive_several_bills",
            Self::Encoding { .. } => "encoding",
            Self::LineTooLong(_) => "line_too_long",
            Self::Workbook => "workbook",
            Self::WorkbookLocked => "workbook_locked",
            Self::WorkbookDamaged => "workbook_damaged",
            Self::WorkbookLimit(limit) => limit.code(),
            Self::WorkbookSheets(_) => "workbook_sheets",
            Self::Consumer(_) => "consumer_statement",
            Self::AlipaySummary => "summary_file",
            Self::ErrorAnswer => "error_answer",
            Self::Unknown => "unknown_format",
            Self::ColumnMissing(_) => "column_missing",
            Self::ColumnTwice(_) => "column_twice",
            Self::TooManyColumns(_) => "too_many_columns",
            Self::ExcelDamaged(_) => "excel_damaged",
            Self::SummaryMissing => "summary_missing",
            Self::TotalsDiffer { .. } => "totals_differ",
            Self::Mapping(_) => "mapping",
            Self::TooManyGroups(_) => "too_many_groups",
            Self::TooManyLines(_) => "too_many_lines",
            Self::Xml(fault) => fault.code(),
            Self::Json { .. } => "json_broken",
            Self::StatementIncomplete { .. } => "statement_incomplete",
            Self::BalanceUnreadable { .. } => "balance_unreadable",
            Self::OtherReport(_) => "other_report",
            Self::OwnAddressUnknown => "own_address_unknown",
        }
    }

    /// The sentence in English.
    pub fn sentence_en(&self) -> String {
        match self {
            Self::Empty => "The file is empty. Download it again.".into(),
            Self::Directory => "This is a folder, not a file. Import its files one by one.".into(),
            Self::TooLarge(bytes) => format!("The file is larger than {} MiB, the most that is taken. Split it by month or day.", bytes >> 20),
            Self::Bomb => "The compressed file grows beyond all measure when unpacked. It was not read to its end.".into(),
            Self::CutOff => "The file is cut off: it ends in the middle. Download it again.".into(),
            Self::ArchiveDamaged => "The archive is damaged and cannot be opened. Download it again.".into(),
            Self::PasswordNeeded { wrong: false } => "The archive is protected by a password. Enter it, or unpack the archive and import the file inside.".into(),
            Self::PasswordNeeded { wrong: true } => "This password does not open the archive. Enter the right one, or unpack the archive and import the file inside.".into(),
            Self::ArchiveEntries(most) => format!("The archive holds more than {most} files. Unpack it and import the bills one by one."),
            Self::ArchiveWithoutBill => "The archive holds no bill that Tillwatch knows.".into(),
            Self::ArchiveSeveralBills(count) => format!("The archive holds {count} bills. Unpack it and import them one by one."),
            Self::Encoding { expected, line } => format!("Line {line} is not {expected} text. Download the file again and do not open and save it in between."),
            Self::LineTooLong(line) => format!("Line {line} is longer than any line of a bill: a quotation mark is open there, or this is no bill. Download the file again."),
            Self::Workbook => "This is a workbook in Excel's old form (.xls). Import the file as the provider delivers it, or save the workbook as .xlsx or CSV.".into(),
            Self::WorkbookLocked => "The workbook is protected by a password. Open it, save it without a password and import it again.".into(),
            Self::WorkbookDamaged => "The workbook is damaged and cannot be read. Download it again.".into(),
            Self::WorkbookLimit(limit) => format!("The workbook cannot be taken: it has {}.", limit.sentence_en()),
            Self::WorkbookSheets(count) => format!("{count} sheets of the workbook are bills. Save each in a file of its own and import them one by one."),
            Self::Consumer(consumer) => consumer.sentence_en().into(),
            Self::AlipaySummary => "This is the summary file of an Alipay bill. Import the detail file beside it (业务明细.csv), or the whole ZIP.".into(),
            Self::ErrorAnswer => "This is an error answer of the provider's interface or a web page, not a bill. Download the bill again.".into(),
            Self::Unknown => "Tillwatch does not know this format. It takes bills of WeChat Pay (交易账单, 资金账单) and Alipay (业务明细, 账务明细), reports of Stripe, Adyen, PayPal and Hyperswitch as downloaded, bank statements in camt.053 and MT940, and any other CSV file together with a mapping file that names its columns.".into(),
            Self::ColumnMissing(name) => format!("The file has no column “{name}”. Choose it when you make the report, or download the file again as it is."),
            Self::ColumnTwice(name) => format!("The file has the column “{name}” twice. Make the report again with every column once."),
            Self::TooManyColumns(most) => format!("The file has more than {most} columns. Make the report again with those that are needed."),
            Self::ExcelDamaged(line) => format!("Excel has turned an order number into a rounded number (line {line}); the number is lost. Import the file as downloaded, without opening it in Excel."),
            Self::SummaryMissing => "The summary at the end is missing: the file is cut off or was edited. Download it again.".into(),
            Self::TotalsDiffer { what, printed, computed } => format!("The rows do not add up to the file's own summary: {what} is {computed} by the rows and {printed} by the summary. The file is incomplete or was edited. Download it again."),
            Self::Mapping(text) => format!("The mapping file cannot be used: {text}"),
            Self::TooManyGroups(most) => format!("The file holds more than {most} transactions. Split it by month."),
            Self::TooManyLines(most) => format!("The file holds more than {most} lines without a number of their own. Split it by month."),
            Self::Xml(fault) => format!("The XML file cannot be taken: {}. Download it again.", fault.sentence_en()),
            Self::Json { line, too_long: false } => format!("The JSON file is damaged in line {line}. Download it again."),
            Self::Json { line, too_long: true } => format!("An entry of the JSON file is longer than any transfer (line {line})."),
            Self::StatementIncomplete { what, number } => format!("Statement {number} in the file does not have “{what}”, without which its lines cannot be understood. Export the whole statement."),
            Self::BalanceUnreadable { line, text } => format!("The balance in line {line} cannot be read (“{text}”). Download the statement again."),
            Self::OtherReport(name) => format!("This is a {name} message, which tells of bookings before they are final. Export the statement of the account instead: camt.053 or MT940."),
            Self::OwnAddressUnknown => "Which of the addresses in the file is the shop's cannot be told: its transfers have none in common, or two. Say which one it is under “account”.".into(),
        }
    }

    /// The sentence in Chinese.
    pub fn sentence_zh(&self) -> String {
        match self {
            Self::Empty => "文件是空的，请重新下载。".into(),
            Self::Directory => "这是文件夹，不是文件。请逐个导入其中的文件。".into(),
            Self::TooLarge(bytes) => format!("文件超过上限 {} MiB，请按月或按日拆分。", bytes >> 20),
            Self::Bomb => "压缩文件解压后异常巨大，已停止读取。".into(),
            Self::CutOff => "文件不完整，中途截断，请重新下载。".into(),
            Self::ArchiveDamaged => "压缩包已损坏，无法打开，请重新下载。".into(),
            Self::PasswordNeeded { wrong: false } => "压缩包有密码。请输入密码，或先解压再导入里面的文件。".into(),
            Self::PasswordNeeded { wrong: true } => "密码不正确，无法打开压缩包。请重新输入，或先解压再导入里面的文件。".into(),
            Self::ArchiveEntries(most) => format!("压缩包内的文件超过 {most} 个。请解压后逐个导入账单。"),
            Self::ArchiveWithoutBill => "压缩包内没有可识别的账单。".into(),
            Self::ArchiveSeveralBills(count) => format!("压缩包内有 {count} 份账单。请解压后逐个导入。"),
            Self::Encoding { expected, line } => format!("第 {line} 行不是 {expected} 编码。请重新下载，中间不要打开并另存。"),
            Self::LineTooLong(line) => format!("第 {line} 行过长：可能是引号没有闭合，或者这不是账单。请重新下载文件。"),
            Self::Workbook => "这是旧格式的 Excel 工作簿（.xls）。请导入支付机构提供的原始文件，或另存为 .xlsx 或 CSV 后导入。".into(),
            Self::WorkbookLocked => "工作簿有密码。请打开后另存为无密码的文件，再重新导入。".into(),
            Self::WorkbookDamaged => "工作簿已损坏，无法读取，请重新下载。".into(),
            Self::WorkbookLimit(limit) => format!("无法导入此工作簿：{}。", limit.sentence_zh()),
            Self::WorkbookSheets(count) => format!("工作簿中有 {count} 个工作表是账单。请分别另存为单独的文件，逐个导入。"),
            Self::Consumer(consumer) => consumer.sentence_zh().into(),
            Self::AlipaySummary => "这是支付宝账单的汇总文件。请导入同一压缩包内的“业务明细.csv”，或直接导入整个 ZIP。".into(),
            Self::ErrorAnswer => "这是接口的错误返回或网页，不是账单。请重新下载账单。".into(),
            Self::Unknown => "无法识别此格式。可导入微信支付交易账单和资金账单、支付宝业务明细和账务明细，Stripe、Adyen、PayPal、Hyperswitch 的原始报表，以及 camt.053、MT940 格式的银行对账单；其他 CSV 文件需附上说明各列含义的映射文件。".into(),
            Self::ColumnMissing(name) => format!("文件缺少“{name}”列。请在导出时勾选该列，或重新下载原文件。"),
            Self::ColumnTwice(name) => format!("文件中“{name}”列出现了两次。请重新导出，每列只选一次。"),
            Self::TooManyColumns(most) => format!("文件超过 {most} 列。请重新导出，只选需要的列。"),
            Self::ExcelDamaged(line) => format!("第 {line} 行的订单号已被 Excel 改成科学计数法，原号码已丢失。请直接导入下载的原文件，不要用 Excel 打开后保存。"),
            Self::SummaryMissing => "文件末尾缺少汇总行：文件被截断或修改过，请重新下载。".into(),
            Self::TotalsDiffer { what, printed, computed } => format!("明细与文件自带的汇总不符：{what}按明细为 {computed}，汇总行为 {printed}。文件不完整或被修改过，请重新下载。"),
            Self::Mapping(text) => format!("映射文件无法使用：{text}"),
            Self::TooManyGroups(most) => format!("文件中的交易超过 {most} 笔，请按月拆分。"),
            Self::TooManyLines(most) => format!("文件中没有流水号的行超过 {most} 行，请按月拆分。"),
            Self::Xml(fault) => format!("无法导入此 XML 文件：{}。请重新下载。", fault.sentence_zh()),
            Self::Json { line, too_long: false } => format!("JSON 文件第 {line} 行已损坏，请重新下载。"),
            Self::Json { line, too_long: true } => format!("JSON 文件中有一条记录过长（第 {line} 行），不是转账记录。"),
            Self::StatementIncomplete { what, number } => format!("文件中第 {number} 份对账单缺少“{what}”，无法理解其中的明细。请导出完整的对账单。"),
            Self::BalanceUnreadable { line, text } => format!("第 {line} 行的余额无法读取（“{text}”）。请重新下载对账单。"),
            Self::OtherReport(name) => format!("这是 {name} 报文，记录的是尚未最终入账的明细。请改为导出账户对账单：camt.053 或 MT940。"),
            Self::OwnAddressUnknown => "无法判断文件中哪个地址属于本店：各笔转账没有共同的地址，或有两个。请在“账户”中填写本店地址。".into(),
        }
    }
}
