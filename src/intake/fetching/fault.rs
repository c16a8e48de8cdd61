//! Why a bill did not come, in words for the owner.

use super::super::bills::{FILE_BYTES_MAX, Refusal};

/// Characters of a provider's own message that are shown.
const TOLD_CHARS_MAX: usize = 160;

/// Why a bill did not come this time. Never holds a key, an address with a token, or a body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.sentence_en())]
pub enum Fault {
    /// No connection, or it broke off; the cause in the words of the network.
    NoAnswer(String),
    /// Nothing came in time.
    TooSlow,
    /// The answer, not the bill, is longer than any.
    AnswerTooLong,
    /// The answer is not the provider's format.
    AnswerUnreadable,
    /// The address is answered with another address.
    Redirected,
    /// The answer carries no signature.
    NotSigned,
    /// The signature is not the provider's.
    SignatureWrong,
    /// Signed with a key that we were not given.
    KeyUnknown(String),
    /// The answer's time is this many seconds from ours.
    ClockDiffers(i64),
    /// The bill is to be fetched from a host that is not the provider's.
    Elsewhere(String),
    /// An HTTP status without words.
    Status(u16),
    /// The provider's code and message.
    Told {
        code: String,
        message: String,
        advice: Advice,
    },
    /// The bill is not the one its hash was given for.
    HashWrong,
    /// The bill ends before its end.
    CutOff,
    TooLarge,
    Bomb,
    /// The bill is no gzip file.
    Damaged,
    /// Our own key does not sign.
    Key,
    /// Our own disk.
    Disk(String),
}

/// What to do about a provider's refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// It passes by itself.
    Wait,
    /// Our signature is not accepted: key, serial number or app id.
    CheckKey,
    /// The interface is not open to this merchant.
    OpenAccess,
    /// The request itself is refused: merchant id or kind.
    CheckAccount,
}

impl Fault {
    /// A provider's own refusal, its text cut and without control characters.
    pub(super) fn told(code: &str, message: &str, advice: Advice) -> Self {
        let plain = |text: &str| -> String {
            text.chars().filter(|c| !c.is_control()).take(TOLD_CHARS_MAX).collect()
        };
        Self::Told { code: plain(code), message: plain(message), advice }
    }

    /// What a transport error is, without the address: it may hold a token.
    pub(super) fn of_transport(error: reqwest::Error) -> Self {
        if error.is_timeout() {
            return Self::TooSlow;
        }
        let error = error.without_url();
        let mut causes = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            causes = cause.to_string();
            source = cause.source();
        }
        Self::NoAnswer(causes.chars().filter(|c| !c.is_control()).take(TOLD_CHARS_MAX).collect())
    }

    /// True when asking again cannot help before somebody changes something.
    pub const fn is_final(&self) -> bool {
        match self {
            Self::Told { advice, .. } => !matches!(advice, Advice::Wait),
            Self::Key | Self::TooLarge => true,
            _ => false,
        }
    }

    /// Stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoAnswer(_) => "no_answer",
            Self::TooSlow => "too_slow",
            Self::AnswerTooLong => "answer_too_long",
            Self::AnswerUnreadable => "answer_unreadable",
            Self::Redirected => "redirected",
            Self::NotSigned => "not_signed",
            Self::SignatureWrong => "signature_wrong",
            Self::KeyUnknown(_) => "key_unknown",
            Self::ClockDiffers(_) => "clock_differs",
            Self::Elsewhere(_) => "elsewhere",
            Self::Status(_) => "status",
            Self::Told { .. } => "told",
            Self::HashWrong => "hash_wrong",
            Self::CutOff => "cut_off",
            Self::TooLarge => "too_large",
            Self::Bomb => "compression_bomb",
            Self::Damaged => "damaged",
            Self::Key => "key",
            Self::Disk(_) => "disk",
        }
    }

    /// The sentence in English: what happened, and what to do.
    pub fn sentence_en(&self) -> String {
        match self {
            Self::NoAnswer(cause) => format!("The provider could not be reached ({cause}). It is tried again by itself; if it goes on, look at this server's network, firewall and name resolution."),
            Self::TooSlow => "The provider did not answer in time. It is tried again by itself.".into(),
            Self::AnswerTooLong => "The provider's answer is longer than any it should give. It was not read.".into(),
            Self::AnswerUnreadable => "What answered does not speak the provider's language. Something between this server and the provider may be answering in its place.".into(),
            Self::Redirected => "The provider's address led somewhere else. It was not followed.".into(),
            Self::NotSigned => "The answer carries no signature, so it is not believed. If it goes on, something between this server and the provider changes answers.".into(),
            Self::SignatureWrong => "The signature of the answer is not the provider's, so it is not believed. Paste the provider's public key anew; if it goes on, something on the way changes answers.".into(),
            Self::KeyUnknown(id) => format!("The answer is signed with the provider's key {id}, which was not given here. Paste that public key or certificate."),
            Self::ClockDiffers(seconds) => format!("The clocks of the provider and of this server are {} seconds apart. Set this server's clock.", seconds.unsigned_abs()),
            Self::Elsewhere(host) => format!("The bill was to be fetched from {host}, which is not the provider's. It was not fetched."),
            Self::Status(status) => format!("The provider answered with HTTP status {status}. It is tried again by itself."),
            Self::Told { code, message, advice } => format!("The provider refuses ({code}: {message}). {}", advice.sentence_en()),
            Self::HashWrong => "The bill that came is not the one the provider announced: its SHA-1 is another. Nothing was taken in; it is fetched again by itself.".into(),
            Self::CutOff => "The bill broke off in the middle. Nothing was taken in; it is fetched again by itself.".into(),
            Self::TooLarge => format!("The bill is larger than {} MiB, the most that is taken.", FILE_BYTES_MAX >> 20),
            Self::Bomb => "The compressed bill grows beyond all measure when unpacked. It was not read to its end.".into(),
            Self::Damaged => "The compressed bill is damaged. Nothing was taken in; it is fetched again by itself.".into(),
            Self::Key => "The private key kept here cannot sign. Paste it anew.".into(),
            Self::Disk(cause) => format!("This server could not write the bill to its disk ({cause})."),
        }
    }

    /// The sentence in Chinese.
    pub fn sentence_zh(&self) -> String {
        match self {
            Self::NoAnswer(cause) => format!("连接不上支付机构（{cause}），稍后会自动重试。如一直如此，请检查本服务器的网络、防火墙和域名解析。"),
            Self::TooSlow => "支付机构迟迟没有应答，稍后会自动重试。".into(),
            Self::AnswerTooLong => "支付机构的应答异常地长，没有读取。".into(),
            Self::AnswerUnreadable => "应答内容不是支付机构的格式，可能有网络设备代替支付机构作了应答。".into(),
            Self::Redirected => "支付机构的地址跳转到了别处，没有跟随。".into(),
            Self::NotSigned => "应答没有签名，不予采信。如一直如此，说明途中有设备改动了应答。".into(),
            Self::SignatureWrong => "应答的签名与支付机构公钥不符，不予采信。请重新粘贴支付机构公钥；如一直如此，说明途中有设备改动了应答。".into(),
            Self::KeyUnknown(id) => format!("应答用支付机构的密钥 {id} 签名，此处没有这把公钥。请粘贴对应的公钥或证书。"),
            Self::ClockDiffers(seconds) => format!("本服务器与支付机构的时间相差 {} 秒，请校准本服务器的时钟。", seconds.unsigned_abs()),
            Self::Elsewhere(host) => format!("账单的下载地址指向 {host}，不属于支付机构，没有下载。"),
            Self::Status(status) => format!("支付机构返回 HTTP 状态 {status}，稍后会自动重试。"),
            Self::Told { code, message, advice } => format!("支付机构拒绝了请求（{code}：{message}）。{}", advice.sentence_zh()),
            Self::HashWrong => "下载到的账单与支付机构给出的 SHA-1 不一致，没有导入，稍后会自动重新下载。".into(),
            Self::CutOff => "账单中途截断，没有导入，稍后会自动重新下载。".into(),
            Self::TooLarge => format!("账单超过上限 {} MiB。", FILE_BYTES_MAX >> 20),
            Self::Bomb => "压缩的账单解压后异常巨大，已停止读取。".into(),
            Self::Damaged => "压缩的账单已损坏，没有导入，稍后会自动重新下载。".into(),
            Self::Key => "此处保存的私钥无法签名，请重新粘贴。".into(),
            Self::Disk(cause) => format!("本服务器无法把账单写入磁盘（{cause}）。"),
        }
    }
}

impl Advice {
    const fn sentence_en(self) -> &'static str {
        match self {
            Self::Wait => "It is tried again by itself.",
            Self::CheckKey => {
                "Check that the private key and its serial number or app id belong together, and paste them anew."
            }
            Self::OpenAccess => "Open the bill interface for this merchant on the provider's platform.",
            Self::CheckAccount => {
                "Check the merchant id or app id and the kinds of bill that are switched on."
            }
        }
    }

    const fn sentence_zh(self) -> &'static str {
        match self {
            Self::Wait => "稍后会自动重试。",
            Self::CheckKey => "请核对私钥与证书序列号或应用编号是否配套，然后重新粘贴。",
            Self::OpenAccess => "请在支付机构的平台为该商户开通账单接口权限。",
            Self::CheckAccount => "请核对商户号或应用编号，以及所选的账单种类。",
        }
    }
}

impl From<Refusal> for Fault {
    /// What unpacking refuses.
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::CutOff => Self::CutOff,
            Refusal::TooLarge(_) => Self::TooLarge,
            Refusal::Bomb => Self::Bomb,
            _ => Self::Damaged,
        }
    }
}
