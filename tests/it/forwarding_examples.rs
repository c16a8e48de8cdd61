//! The programs of `examples/forwarding` pass notices on so that they are believed, against the real program.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hmac::{Hmac, Mac};
use tillwatch::app::{DataFolder, seal_with};
use tillwatch::domain::{Clock, KeyMode, StoreId, SystemClock};
use tillwatch::store::{Database, EndpointRecord, Opened, SecretRecord};

use crate::live::Installation;

const SECRET: &str = "whsec_of_the_forwarding_examples";
const ENDPOINT: &str = "0123456789abcdef0123456789abcdef";

/// An example that runs; killed when dropped.
struct Example {
    child: Child,
    port: u16,
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Example {
    /// Starts it; `None` where its interpreter is not there.
    fn start(interpreter: &str, file: &str, forward_to: &str) -> Option<Self> {
        if !Command::new(interpreter).arg("--version").output().is_ok_and(|asked| asked.status.success()) {
            println!("skipped: {interpreter} is absent, so {file} was not tried");
            return None;
        }
        let path = format!("{}/examples/forwarding/{file}", env!("CARGO_MANIFEST_DIR"));
        let mut child = Command::new(interpreter)
            .arg(path)
            .env("PORT", "0")
            .env("TILLWATCH_FORWARD_URL", forward_to)
            .env("no_proxy", "127.0.0.1")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.find_map(|line| line.unwrap().strip_prefix("listens on ")?.parse().ok());
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { child, port: port.unwrap_or_else(|| panic!("{file} ended before it listened")) })
    }
}

async fn with_endpoint(installation: &Installation) {
    let folder = DataFolder::open(installation.path()).unwrap();
    let seal = seal_with(&folder.secret().unwrap());
    let database = Database::open(installation.address.clone()).await.unwrap();
    let now = SystemClock.now();
    let endpoint = EndpointRecord {
        id: ENDPOINT.into(),
        store: StoreId(1),
        provider: "stripe".into(),
        account: "acct_1".into(),
        mode: KeyMode::Live,
        app_id: String::new(),
        manual_capture: false,
        created_at: now,
        disabled_at: None,
        last_event_at: None,
    };
    let secret = Opened::new(SECRET.as_bytes().to_vec());
    let secret =
        SecretRecord::sealing(&seal, ("s1", ENDPOINT), ("signing_secret", ""), &secret, now).unwrap();
    database.insert_webhook_endpoint(&endpoint, &[secret]).await.unwrap();
    database.close().await;
}

/// An event of an hour ago: too old for the first address, young enough for a copy.
fn event(number: usize) -> (String, String) {
    let at = SystemClock.now().timestamp() - 3600;
    // With spaces and an escape, which are gone when somebody reads it and writes it anew.
    let body = format!(
        "{{ \"id\": \"evt_{number}\", \"object\": \"event\", \"type\": \"refund.created\", \"created\": {at}, \
         \"livemode\": true, \"data\": {{ \"object\": {{ \"id\": \"re_{number}\", \"object\": \"refund\", \
         \"status\": \"succeeded\", \"amount\": 100, \"currency\": \"eur\", \"created\": {at}, \"charge\": \
         \"ch_1\", \"reason\": \"\\u5496\" }} }} }}"
    );
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("{at}.{body}").as_bytes());
    let tag: String =
        mac.finalize().into_bytes().iter().fold(String::new(), |text, b| text + &format!("{b:02x}"));
    (body, format!("t={at},v1={tag}"))
}

/// How many notices the server took, and how many it refused.
async fn counted(client: &reqwest::Client, origin: &str) -> (u64, u64) {
    let text = client.get(format!("{origin}/metrics")).send().await.unwrap().text().await.unwrap();
    let of = |start: &str| {
        let lines = text.lines().filter(|line| line.starts_with(start));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    };
    (
        of("tillwatch_webhook_notices_total{provider=\"stripe\",result=\"taken\"}"),
        of("tillwatch_webhook_refused_total{provider=\"stripe\""),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn every_forwarding_example_works() {
    let installation = Installation::make().await;
    with_endpoint(&installation).await;
    let server = installation.serve();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let direct = format!("{}/hooks/stripe/{ENDPOINT}", server.origin);
    let (body, signature) = event(0);
    let refused =
        client.post(&direct).header("stripe-signature", &signature).body(body).send().await.unwrap();
    assert_eq!(refused.status(), 401, "the first address does not allow for an hour");
    let mut taken = 0;
    for (interpreter, file) in [("python3", "forward.py"), ("node", "forward.mjs"), ("java", "Forward.java")]
    {
        let Some(example) = Example::start(interpreter, file, &format!("{direct}/forwarded")) else {
            continue;
        };
        taken += 1;
        let (body, signature) = event(usize::try_from(taken).unwrap());
        let answer = client
            .post(format!("http://127.0.0.1:{}/notify", example.port))
            .header("content-type", "application/json; charset=utf-8")
            .header("stripe-signature", signature)
            .body(body)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.text().await.unwrap(), "success", "{file}");
        let mut seen = (0, 0);
        for _ in 0..200 {
            seen = counted(&client, &server.origin).await;
            if seen.0 == taken {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(seen, (taken, 1), "{file}");
    }
}
