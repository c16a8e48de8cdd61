use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::util::TryInitError;
use tracing_subscriber::{fmt, prelude::*};

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For a person at a terminal.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

/// Why logging could not start.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The filter is no list of `target=level`.
    #[error("the log filter cannot be read: {0}")]
    Filter(#[from] ParseError),
    /// Something else has already taken the log.
    #[error("the log is already taken: {0}")]
    Taken(#[from] TryInitError),
}

/// Sends the log to stderr; stdout is for a command's own answer.
///
/// `filter` is a list such as `info,tillwatch::jobs=debug`. Callers never log a body, a query string, a header of
/// a request or a customer's reference: what is not written needs no redaction.
///
/// # Errors
/// [`LoggingError`].
pub fn start_logging(format: LogFormat, filter: &str) -> Result<(), LoggingError> {
    let filter = EnvFilter::try_new(filter)?;
    let registry = tracing_subscriber::registry().with(filter);
    match format {
        LogFormat::Human => registry.with(fmt::layer().with_writer(std::io::stderr)).try_init()?,
        LogFormat::Json => {
            registry.with(fmt::layer().json().flatten_event(true).with_writer(std::io::stderr)).try_init()?;
        }
    }
    Ok(())
}
