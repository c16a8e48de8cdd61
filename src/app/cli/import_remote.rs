//! The same import through a running server, which alone may write to its data folder.

use std::time::Duration;

use anyhow::{Context, bail};
use serde::Deserialize;

use super::import::{Options, bar, totals};
use super::import_preview;
use crate::intake::diagnosis::Diagnosis;

/// How often is asked how far the import is.
const ASK_EVERY: Duration = Duration::from_millis(300);
/// Divides the parts of the form; long enough not to stand in a bill.
const BOUNDARY: &str = "tillwatch-7f3a9c51d2e84b06a1c5";

#[derive(Deserialize)]
struct Answer {
    id: i64,
    already: bool,
    state: String,
    file_name: String,
    provider: String,
    variant: String,
    encoding: String,
    sentence: String,
    totals: String,
    lines: Lines,
    rows: Rows,
    progress_ppm: u64,
}

#[derive(Deserialize)]
struct Lines {
    read: i64,
    accepted: i64,
    rejected: i64,
    not_data: i64,
}

#[derive(Deserialize)]
struct Rows {
    accepted: i64,
    new: i64,
    replaced: i64,
    unchanged: i64,
    batches_waiting: i64,
}

/// What stands beside the findings of a file that is only looked at.
#[derive(Deserialize)]
struct Shown {
    already: Option<i64>,
    file_name: String,
}

/// A failure as the API tells it.
#[derive(Deserialize)]
struct Problem {
    detail: String,
}

struct Server<'a> {
    client: reqwest::Client,
    url: String,
    key: &'a str,
}

/// Sends the file, follows the import, prints its result.
pub(super) async fn run(options: &Options, mapping: Option<&str>) -> anyhow::Result<()> {
    let Some(key) = options.api_key.as_deref() else {
        bail!(
            "the data folder is in use by a running server: give an API key with --api-key or TILLWATCH_API_KEY (make one with `tillwatch key create`), and --server where it does not listen on {}",
            options.server
        );
    };
    let url = format!("{}/api/v1/imports", options.server.trim_end_matches('/'));
    let server = Server { client: reqwest::Client::new(), url, key };
    if options.dry_run {
        return server.preview(form_of(options, mapping)?).await;
    }
    let mut answer = server.send(form_of(options, mapping)?).await?;
    if answer.already && answer.state == "done" {
        println!("This very file was already imported as #{}. Nothing was changed.", answer.id);
        return Ok(());
    }
    let bar = bar();
    while answer.state == "running" || (answer.state == "done" && answer.rows.batches_waiting > 0) {
        bar.set_position(answer.progress_ppm);
        bar.set_message(format!("{} records", answer.rows.accepted));
        tokio::time::sleep(ASK_EVERY).await;
        answer = server.ask(answer.id).await?;
    }
    bar.finish_and_clear();
    print(&answer);
    if let Some(path) = &options.rejected_to {
        let bytes = server.rejected(answer.id).await?;
        std::fs::write(path, bytes).with_context(|| format!("writing {}", path.display()))?;
    }
    match answer.state.as_str() {
        "done" => Ok(()),
        "refused" => bail!("the file was refused: {}", answer.sentence),
        _ => bail!("the import failed on the server; its log says why. Import the file again"),
    }
}

/// The form by hand: one part per field.
fn form_of(options: &Options, mapping: Option<&str>) -> anyhow::Result<Vec<u8>> {
    let bytes =
        std::fs::read(&options.file).with_context(|| format!("reading {}", options.file.display()))?;
    let name = options.file.file_name().map(|name| name.to_string_lossy().replace(['"', '\r', '\n'], "_"));
    let mut form = Vec::with_capacity(bytes.len() + 1_024);
    let account = options.account.as_deref();
    let fields = [("store", options.store.as_deref()), ("account", account), ("mapping", mapping)];
    for (field, text) in fields.into_iter().filter_map(|(field, text)| Some((field, text?))) {
        form.extend_from_slice(
            format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n{text}\r\n")
                .as_bytes(),
        );
    }
    let name = name.unwrap_or_default();
    form.extend_from_slice(
        format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: application/octet-stream\r\n\r\n").as_bytes(),
    );
    form.extend_from_slice(&bytes);
    form.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
    Ok(form)
}

impl Server<'_> {
    /// Lets the server say what the file is; it takes nothing in.
    async fn preview(&self, form: Vec<u8>) -> anyhow::Result<()> {
        let bytes = self.bytes(self.post(&format!("{}?preview=1", self.url), form)).await?;
        let shown: Shown = serde_json::from_slice(&bytes).context("reading the server's answer")?;
        // The same text once more: numbers beyond 64 bits do not pass through a flattened field.
        let found: Diagnosis = serde_json::from_slice(&bytes).context("reading the server's answer")?;
        import_preview::print(&shown.file_name, shown.already, &found)
    }

    fn post(&self, url: &str, form: Vec<u8>) -> reqwest::RequestBuilder {
        self.client
            .post(url)
            .header("content-type", format!("multipart/form-data; boundary={BOUNDARY}"))
            .body(form)
    }

    async fn send(&self, form: Vec<u8>) -> anyhow::Result<Answer> {
        let bytes = self.bytes(self.post(&self.url, form)).await?;
        serde_json::from_slice(&bytes).context("reading the server's answer")
    }

    async fn ask(&self, id: i64) -> anyhow::Result<Answer> {
        let bytes = self.bytes(self.client.get(format!("{}/{id}", self.url))).await?;
        serde_json::from_slice(&bytes).context("reading the server's answer")
    }

    async fn rejected(&self, id: i64) -> anyhow::Result<Vec<u8>> {
        self.bytes(self.client.get(format!("{}/{id}/rejected.csv", self.url))).await
    }

    async fn bytes(&self, request: reqwest::RequestBuilder) -> anyhow::Result<Vec<u8>> {
        let answer = request.bearer_auth(self.key).send().await.context("asking the server")?;
        let status = answer.status();
        let bytes = answer.bytes().await.context("reading the server's answer")?;
        if status.is_success() {
            return Ok(bytes.to_vec());
        }
        let detail = serde_json::from_slice::<Problem>(&bytes).map(|problem| problem.detail);
        bail!("the server answered {status}: {}", detail.unwrap_or_default());
    }
}

fn print(answer: &Answer) {
    println!("import      #{}  {}", answer.id, answer.file_name);
    println!("file        {} {} {}", answer.provider, answer.variant, answer.encoding);
    let lines = &answer.lines;
    println!(
        "lines       {} read = {} taken in + {} rejected + {} not data",
        lines.read, lines.accepted, lines.rejected, lines.not_data
    );
    let rows = &answer.rows;
    println!(
        "records     {} taken in = {} new + {} replaced + {} unchanged",
        rows.accepted, rows.new, rows.replaced, rows.unchanged
    );
    println!("totals      {}", totals(&answer.totals));
}
