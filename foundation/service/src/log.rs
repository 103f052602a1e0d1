//! Structured logs on stderr: text on a terminal, one JSON object per line elsewhere.

use std::error::Error;
use std::io::IsTerminal as _;

use clap::ValueEnum;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// The options of every service for its logs.
#[derive(Debug, Clone, clap::Args)]
// `None`: it would become the description of the program that flattens this.
#[command(about = None, long_about = None)]
pub struct LogArgs {
    /// off, error, warn, info, debug or trace; also per module, as in info,hyper=debug
    #[arg(
        long = "log",
        value_name = "LEVEL",
        env = "RUST_LOG",
        hide_env_values = true,
        help_heading = "Logs",
        default_value = "info",
        value_parser = levels
    )]
    pub levels: Targets,
    /// The form of the logs on stderr
    #[arg(
        long = "log-format",
        value_name = "FORMAT",
        env = "LOG_FORMAT",
        hide_env_values = true,
        help_heading = "Logs",
        default_value = "auto"
    )]
    pub format: LogFormat,
}

/// Reads the levels. [`Targets`] alone takes a blank for `off`.
fn levels(text: &str) -> Result<Targets, Box<dyn Error + Send + Sync>> {
    if text.trim().is_empty() {
        return Err("expected a level, such as info".into());
    }
    Ok(text.parse()?)
}

/// The form of the logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Text on a terminal, else JSON
    Auto,
    /// Lines of text
    Text,
    /// One JSON object per line
    Json,
}

impl LogArgs {
    /// Installs the subscriber of [`tracing`] for the rest of the process. What is logged before is lost.
    ///
    /// # Panics
    /// When the process has a subscriber already.
    pub fn init(&self) {
        let stderr = std::io::stderr;
        let json = match self.format {
            LogFormat::Auto => !stderr().is_terminal(),
            LogFormat::Text => false,
            LogFormat::Json => true,
        };
        let registry = tracing_subscriber::registry().with(self.levels.clone());
        let lines = tracing_subscriber::fmt::layer().with_writer(stderr);
        if json {
            registry.with(lines.json().flatten_event(true)).init();
        } else {
            registry.with(lines.with_ansi(stderr().is_terminal())).init();
        }
    }
}
