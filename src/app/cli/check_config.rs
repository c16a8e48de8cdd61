use clap::Args;

use crate::app::config::{Config, DataOptions, ServerOptions};

#[derive(Args, Debug)]
pub(super) struct Options {
    #[command(flatten)]
    data: DataOptions,
    #[command(flatten)]
    server: ServerOptions,
}

/// Prints what is in force.
pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    let config = Config::of(&options.data, &options.server)?;
    println!("data folder      {}", config.data_dir.display());
    println!("database         {}", config.database);
    println!("listens on       {}", config.listen);
    println!("public address   {}", config.public_origin);
    let proxies: Vec<String> = config.trusted_proxies.iter().map(ToString::to_string).collect();
    println!("trusted proxies  {}", if proxies.is_empty() { "none".to_owned() } else { proxies.join(", ") });
    println!(
        "metrics token    {}",
        if config.metrics_token.is_some() { "set (hidden)" } else { "none: loopback only" }
    );
    println!("bills come from  {}", config.gateways);
    println!("log              {:?}, {}", options.server.log.log, options.server.log.log_filter);
    Ok(())
}
