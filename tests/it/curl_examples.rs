//! The examples of `examples/curl` do what they say, against the real program.

use std::process::Command;

use serde_json::Value;

use crate::live::Installation;

#[tokio::test(flavor = "multi_thread")]
async fn every_curl_example_works() {
    if Command::new("curl").arg("--version").output().is_err() {
        println!("skipped: curl is absent");
        return;
    }
    let installation = Installation::make().await;
    let server = installation.serve();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/curl");
    let mut scripts: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    scripts.sort();
    assert_eq!(scripts.len(), 4);
    for script in scripts {
        let name = script.file_name().unwrap().to_string_lossy().into_owned();
        let output = Command::new("sh")
            .arg(&script)
            .env("TILLWATCH_URL", &server.origin)
            .env("TILLWATCH_KEY", &installation.key)
            .env("no_proxy", "127.0.0.1")
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{name}: {text}{}", String::from_utf8_lossy(&output.stderr));
        let answer: Value = serde_json::from_str(&text).unwrap();
        let rejected = i32::from(name == "send_lines.sh");
        assert_eq!(answer["rejected"], rejected, "{name}: {text}");
        assert_ne!(answer["accepted"], 0, "{name}: {text}");
        if rejected == 1 {
            assert_eq!(
                (&answer["rows"][0]["index"], &answer["rows"][0]["field"]),
                (&1.into(), &"amount".into())
            );
        }
    }
}
