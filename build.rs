//! Notes the compiler for `tillwatch_build_info`, and rebuilds when a migration or a text is added (their macros
//! read folders, which cargo does not watch by itself).

use std::process::Command;

#[expect(clippy::disallowed_methods, reason = "a build script is told its compiler by the environment")]
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=migrations");
    println!("cargo:rerun-if-changed=locales");
    println!("cargo:rerun-if-env-changed=TILLWATCH_REVISION");
    let compiler = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let version = Command::new(compiler)
        .arg("--version")
        .output()
        .ok()
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .and_then(|line| line.split_whitespace().nth(1).map(str::to_owned))
        .unwrap_or_else(|| "unknown".to_owned());
    println!("cargo:rustc-env=TILLWATCH_RUSTC={version}");
}
