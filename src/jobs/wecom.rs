//! WeCom group robot (企业微信群机器人): the text it takes and the way to it.

use std::time::Duration;

use crate::alerts::{AlertState, Episode, Severity, Tongue, Where, sentence};
use crate::domain::Store;

/// Longest markdown content, in bytes of UTF-8 (error 40058 beyond).
pub const CONTENT_BYTES_MAX: usize = 4_096;
/// Messages a minute and robot.
pub const MESSAGES_PER_MINUTE_MAX: usize = 20;
/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Longest answer that is read.
const ANSWER_BYTES_MAX: usize = 4_096;
/// Where robots live.
const HOST: &str = "qyapi.weixin.qq.com";
const PATH: &str = "/cgi-bin/webhook/send";
/// "API freq out of limit".
const ERRCODE_TOO_FAST: i64 = 45_009;
/// The address's key is no robot's, or the robot was removed.
const ERRCODES_FINAL: [i64; 3] = [93_000, 93_008, 40_058];

/// Why an address is no robot's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// No address at all.
    #[error("not an address")]
    Unreadable,
    /// Somewhere else than WeCom: messages would leak, and our server could be made to call inside networks.
    #[error("not an address of a WeCom robot (https://{HOST}{PATH}?key=…)")]
    Elsewhere,
    /// Without the key it cannot work.
    #[error("the address has no key")]
    NoKey,
}

/// Why a message did not get through. Never holds the address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Worth another try.
    #[error("{0}")]
    Passing(String),
    /// The robot asks for a pause.
    #[error("WeCom asks for a pause (errcode {ERRCODE_TOO_FAST})")]
    TooFast,
    /// Will never work like this.
    #[error("{0}")]
    Final(String),
}

/// Checks the address of a robot. `allow_local` lets a stand-in on this machine pass, for tests.
///
/// # Errors
/// [`AddressError`].
pub fn accept_address(text: &str, allow_local: bool) -> Result<String, AddressError> {
    let url = reqwest::Url::parse(text.trim()).map_err(|_| AddressError::Unreadable)?;
    let local = allow_local && matches!(url.host_str(), Some("127.0.0.1" | "localhost"));
    let ours = url.scheme() == "https" && url.host_str() == Some(HOST) && url.port().is_none();
    let plain = url.username().is_empty() && url.password().is_none() && url.path() == PATH;
    if !(local || ours && plain) {
        return Err(AddressError::Elsewhere);
    }
    if !local && !url.query_pairs().any(|(name, key)| name == "key" && !key.is_empty()) {
        return Err(AddressError::NoKey);
    }
    Ok(url.to_string())
}

/// What may be shown of an address: where it leads and the last two characters of its key.
pub fn masked(address: &str) -> String {
    let host = reqwest::Url::parse(address)
        .ok()
        .and_then(|url| url.host_str().map(str::to_owned))
        .unwrap_or_else(|| "?".to_owned());
    let tail: String = address.chars().rev().take(2).collect::<Vec<_>>().into_iter().rev().collect();
    format!("{host} …{tail}")
}

/// A client for robots: no redirects, short waits.
///
/// # Errors
/// When TLS cannot be set up.
pub fn client() -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder().timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none()).build()
}

/// Sends one message.
///
/// # Errors
/// [`SendError`]; the message may have arrived all the same when the answer was lost.
pub async fn send(client: &reqwest::Client, address: &str, content: &str) -> Result<(), SendError> {
    let body = serde_json::json!({ "msgtype": "markdown", "markdown": { "content": cut(content) } });
    let answer = client
        .post(address)
        .json(&body)
        .send()
        .await
        // The error's text would hold the address, and the address holds the key.
        .map_err(|error| SendError::Passing(format!("no answer: {}", error.without_url())))?;
    let status = answer.status();
    let passing = status.is_server_error() || matches!(status.as_u16(), 408 | 429);
    if passing {
        return Err(SendError::Passing(format!("HTTP {status}")));
    }
    if !status.is_success() {
        return Err(SendError::Final(format!("HTTP {status}")));
    }
    judge(&read(answer).await?)
}

async fn read(mut answer: reqwest::Response) -> Result<Vec<u8>, SendError> {
    let mut bytes = Vec::new();
    loop {
        match answer.chunk().await {
            Ok(Some(chunk)) if bytes.len() + chunk.len() <= ANSWER_BYTES_MAX => {
                bytes.extend_from_slice(&chunk);
            }
            Ok(Some(_)) => return Err(SendError::Passing("the answer is too long".to_owned())),
            Ok(None) => return Ok(bytes),
            Err(error) => {
                return Err(SendError::Passing(format!("the answer broke off: {}", error.without_url())));
            }
        }
    }
}

/// WeCom answers 200 to everything; what happened stands in `errcode`.
fn judge(answer: &[u8]) -> Result<(), SendError> {
    #[derive(serde::Deserialize)]
    struct Answer {
        errcode: i64,
        #[serde(default)]
        errmsg: String,
    }
    let answer: Answer = serde_json::from_slice(answer)
        .map_err(|_| SendError::Passing("the answer is not WeCom's".to_owned()))?;
    let told: String = answer.errmsg.chars().take(120).collect();
    match answer.errcode {
        0 => Ok(()),
        ERRCODE_TOO_FAST => Err(SendError::TooFast),
        code if ERRCODES_FINAL.contains(&code) => Err(SendError::Final(format!("errcode {code}: {told}"))),
        code => Err(SendError::Passing(format!("errcode {code}: {told}"))),
    }
}

/// Cuts to [`CONTENT_BYTES_MAX`] bytes at the edge of a character, with an ellipsis.
pub fn cut(content: &str) -> &str {
    if content.len() <= CONTENT_BYTES_MAX {
        return content;
    }
    let mut end = CONTENT_BYTES_MAX;
    while !content.is_char_boundary(end) {
        end -= 1;
    }
    // A whole line less rather than half of one, where there are lines.
    let kept = &content[..end];
    kept.rfind('\n').filter(|line| *line > CONTENT_BYTES_MAX / 2).map_or(kept, |line| &kept[..line])
}

/// An alert as a message.
pub fn alert(episode: &Episode, store: Option<&Store>, language: &str) -> String {
    let tongue = Tongue::of(language);
    let place = Where {
        store: store.map_or("", |store| store.name.as_str()),
        zone: store.map_or(chrono_tz::Tz::UTC, |store| store.zone),
    };
    let told = sentence(tongue, episode, &place);
    let (color, word) = match (episode.state, episode.severity, tongue) {
        (AlertState::Resolved, _, Tongue::Chinese) => ("info", "已恢复"),
        (AlertState::Resolved, _, Tongue::English) => ("info", "resolved"),
        (_, Severity::Critical, Tongue::Chinese) => ("warning", "严重"),
        (_, Severity::Critical, Tongue::English) => ("warning", "critical"),
        (_, Severity::Warning, Tongue::Chinese) => ("comment", "警告"),
        (_, Severity::Warning, Tongue::English) => ("comment", "warning"),
    };
    let mut content = format!("**{}** <font color=\"{color}\">{word}</font>", plain(&told.title));
    for line in &told.lines {
        content.push_str("\n>");
        content.push_str(&plain(line));
    }
    cut(&content).to_owned()
}

/// One message instead of very many.
pub fn storm(count: usize, language: &str) -> String {
    match Tongue::of(language) {
        Tongue::Chinese => format!("**同时出现 {count} 条告警**\n>请在告警页面查看。"),
        Tongue::English => format!("**{count} alerts at once**\n>See the page Alerts."),
    }
}

/// The message of the test button.
pub fn test_message(language: &str) -> String {
    match Tongue::of(language) {
        Tongue::Chinese => "**账衡测试消息**\n>机器人已接通。".to_owned(),
        Tongue::English => "**Tillwatch test message**\n>The robot is connected.".to_owned(),
    }
}

/// Text that cannot become markup: names of stores, cashiers and accounts are written by people.
pub fn plain(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '<' => '＜',
            '>' => '＞',
            '*' => '＊',
            '`' => '＇',
            '[' => '［',
            ']' => '］',
            '\n' | '\r' => ' ',
            other => other,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_wecoms_robots_are_addresses() {
        let good = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=693a91f6-7xxx";
        assert_eq!(accept_address(&format!(" {good} "), false).as_deref(), Ok(good));
        for elsewhere in [
            "http://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=a",
            "https://qyapi.weixin.qq.com.evil.example/cgi-bin/webhook/send?key=a",
            "https://qyapi.weixin.qq.com:8443/cgi-bin/webhook/send?key=a",
            "https://user@qyapi.weixin.qq.com/cgi-bin/webhook/send?key=a",
            "https://qyapi.weixin.qq.com/cgi-bin/gettoken?key=a",
            "https://169.254.169.254/latest/meta-data",
            "http://127.0.0.1:9/x",
            "file:///etc/passwd",
        ] {
            assert_eq!(accept_address(elsewhere, false), Err(AddressError::Elsewhere), "{elsewhere}");
        }
        assert_eq!(accept_address("robot", false), Err(AddressError::Unreadable));
        assert_eq!(
            accept_address("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=", false),
            Err(AddressError::NoKey)
        );
        assert!(accept_address("http://127.0.0.1:9/x", true).is_ok());
        assert_eq!(masked(good), "qyapi.weixin.qq.com …xx");
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let long = "账".repeat(2_000);
        let kept = cut(&long);
        assert_eq!(kept.len(), 4_095);
        assert!(kept.chars().all(|character| character == '账'));
        let lines = "一行字\n".repeat(600);
        assert!(cut(&lines).ends_with("一行字"));
        assert_eq!(cut("short"), "short");
    }

    #[test]
    fn what_people_wrote_is_no_markup() {
        assert_eq!(plain("<font>**a**\n[b](c)"), "＜font＞＊＊a＊＊ ［b］(c)");
    }

    #[test]
    fn the_answers_code_decides() {
        assert_eq!(judge(br#"{"errcode":0,"errmsg":"ok"}"#), Ok(()));
        assert_eq!(judge(br#"{"errcode":45009,"errmsg":"api freq out of limit"}"#), Err(SendError::TooFast));
        assert!(matches!(
            judge(br#"{"errcode":93000,"errmsg":"invalid webhook url"}"#),
            Err(SendError::Final(_))
        ));
        assert!(matches!(judge(b"<html>"), Err(SendError::Passing(_))));
    }
}
