//! Sends requests over many connections from one thread and counts what is acknowledged.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::disk;
use super::rows::{Body, Random};

/// Before what is counted.
const WARM_UP: Duration = Duration::from_secs(2);

/// What one connection sends, again and again.
#[derive(Clone)]
pub struct Request {
    body: Body,
    head: usize,
    rows: usize,
}

impl Request {
    /// Records to the API.
    pub fn records(key: &str, rows: usize, mut body: Body) -> Self {
        let head = format!(
            "POST /api/v1/transactions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n\
             content-type: application/x-ndjson\r\ncontent-length: {}\r\n\r\n",
            body.bytes.len()
        );
        body.bytes.splice(0..0, head.bytes());
        Self { body, head: head.len(), rows }
    }

    /// A handler that does nothing.
    pub fn nothing() -> Self {
        let mut body = Body::of(0, &mut Random(0), chrono::DateTime::UNIX_EPOCH);
        body.bytes = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n".to_vec();
        Self { body, head: 0, rows: 0 }
    }
}

/// What came back.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    pub requests: usize,
    pub rows: usize,
    pub seconds: f64,
    /// Of the whole process, generator and warm-up included.
    pub cpu_s: f64,
    /// Rows or, where there are none, requests of the same time.
    pub units: usize,
    pub ms: Vec<f64>,
}

impl Outcome {
    pub fn requests_per_s(&self) -> f64 {
        self.requests as f64 / self.seconds
    }

    pub fn rows_per_s(&self) -> f64 {
        self.rows as f64 / self.seconds
    }

    /// Microseconds of processor for a row (or a request without rows), sending it included.
    pub fn cpu_us(&self) -> f64 {
        self.cpu_s * 1e6 / self.units as f64
    }

    /// The time that so many per cent of the requests needed at most.
    pub fn percentile_ms(&mut self, percent: usize) -> f64 {
        self.ms.sort_by(f64::total_cmp);
        let place = (self.ms.len() * percent / 100).min(self.ms.len().saturating_sub(1));
        self.ms.get(place).copied().unwrap_or(f64::NAN)
    }
}

/// How to send.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    pub span: Duration,
    /// At most so many; as many as possible where not given.
    pub rows_per_s: Option<f64>,
    /// Counts rows as they are acknowledged, from the first on.
    pub acknowledged: Arc<AtomicUsize>,
}

/// Keeps one request under way on every connection.
///
/// # Errors
/// When a connection breaks or an answer is not the expected one.
pub fn send(address: SocketAddr, requests: Vec<Request>, plan: &Plan) -> anyhow::Result<Outcome> {
    let (plan, acknowledged, cpu) = (plan.clone(), Arc::clone(&plan.acknowledged), disk::cpu_s()?);
    let sending = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let tasks = tokio::task::LocalSet::new();
        runtime.block_on(tasks.run_until(send_all(address, requests, plan)))
    });
    let sent = sending.join().map_err(|_| anyhow::anyhow!("the sending thread died"))?;
    let mut outcome = sent?;
    outcome.cpu_s = disk::cpu_s()? - cpu;
    outcome.units = acknowledged.load(Ordering::Relaxed);
    Ok(outcome)
}

async fn send_all(address: SocketAddr, requests: Vec<Request>, plan: Plan) -> anyhow::Result<Outcome> {
    let Plan { span, rows_per_s, acknowledged } = plan;
    let outcome = Arc::<Mutex<Outcome>>::default();
    let from = Instant::now() + WARM_UP;
    let connections = requests.len();
    let mut tasks = Vec::with_capacity(connections);
    for (number, request) in requests.into_iter().enumerate() {
        let stream = TcpStream::connect(address).await.context("connecting")?;
        stream.set_nodelay(true)?;
        let pause = rows_per_s.map(|rate| {
            let every = Duration::from_secs_f64(connections as f64 * request.rows as f64 / rate);
            (every, every.mul_f64(number as f64 / connections as f64))
        });
        let random = Random(0x5eed + number as u64);
        let acknowledged = Arc::clone(&acknowledged);
        let one = Connection { stream, request, random, answer: Vec::new(), acknowledged };
        tasks.push(tokio::task::spawn_local(one.run(from, from + span, pause, Arc::clone(&outcome))));
    }
    for task in tasks {
        task.await??;
    }
    let mut outcome = std::mem::take(&mut *outcome.lock().map_err(|_| anyhow::anyhow!("poisoned"))?);
    outcome.seconds = span.as_secs_f64();
    Ok(outcome)
}

struct Connection {
    stream: TcpStream,
    request: Request,
    random: Random,
    answer: Vec<u8>,
    acknowledged: Arc<AtomicUsize>,
}

impl Connection {
    async fn run(
        mut self,
        from: Instant,
        until: Instant,
        pause: Option<(Duration, Duration)>,
        outcome: Arc<Mutex<Outcome>>,
    ) -> anyhow::Result<()> {
        let mut mine = Outcome::default();
        let mut next = Instant::now() + pause.map_or(Duration::ZERO, |(_, first)| first);
        while Instant::now() < until {
            if let Some((every, _)) = pause {
                tokio::time::sleep_until(next.into()).await;
                next += every;
            }
            let begun = Instant::now();
            self.request.body.renew(&mut self.random, self.request.head);
            self.stream.write_all(&self.request.body.bytes).await.context("sending")?;
            let accepted = self.read_answer().await?;
            self.acknowledged.fetch_add(accepted, Ordering::Relaxed);
            let now = Instant::now();
            if now >= from && now < until {
                mine.requests += 1;
                mine.rows += accepted;
                mine.ms.push((now - begun).as_secs_f64() * 1000.0);
            }
        }
        let mut all = outcome.lock().map_err(|_| anyhow::anyhow!("poisoned"))?;
        all.requests += mine.requests;
        all.rows += mine.rows;
        all.ms.append(&mut mine.ms);
        Ok(())
    }

    /// Rows that were accepted. Of some ten thousand random ids one looks like a card number, and is refused.
    async fn read_answer(&mut self) -> anyhow::Result<usize> {
        self.answer.clear();
        loop {
            if self.stream.read_buf(&mut self.answer).await.context("reading")? == 0 {
                bail!("the server closed the connection");
            }
            let text = std::str::from_utf8(&self.answer)?;
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
            let length: usize = length.context("no content-length")?.parse()?;
            if body.len() < length {
                continue;
            }
            let accepted = body.split("\"accepted\":").nth(1).and_then(|rest| rest.split(',').next());
            return match accepted {
                Some(accepted) if head.starts_with("HTTP/1.1 200") || body.contains("pan_suspected") => {
                    Ok(accepted.parse()?)
                }
                None if self.request.rows == 0 && head.starts_with("HTTP/1.1 200") => Ok(0),
                _ => bail!("an unexpected answer: {text}"),
            };
        }
    }
}
