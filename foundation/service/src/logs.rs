//! Structured logs on stderr: lines for a person on a terminal, one JSON object a line elsewhere.

use std::io::IsTerminal as _;

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::{Setting, Settings};

/// The rows that every service has in its table for its logs.
pub const LOG_SETTINGS: &[Setting] = &[
    Setting {
        name: "log",
        value: "LEVEL",
        vars: &["RUST_LOG"],
        default: "info",
        help: "off, error, warn, info, debug or trace; also per target: info,hyper=debug",
    },
    Setting {
        name: "log-format",
        value: "FORMAT",
        vars: &["LOG_FORMAT"],
        default: "auto",
        help: "text, json, or auto: text on a terminal, else json",
    },
];

/// How to log.
#[derive(Debug, Clone, PartialEq)]
pub struct Logs {
    levels: Targets,
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Auto,
    Text,
    Json,
}

impl Logs {
    /// Reads the rows of [`LOG_SETTINGS`].
    pub fn from_settings(settings: &mut Settings<'_>) -> Option<Self> {
        let levels = settings.parsed("log");
        let format = settings.parsed_by("log-format", |text| match text {
            "auto" => Ok(Format::Auto),
            "text" => Ok(Format::Text),
            "json" => Ok(Format::Json),
            _ => Err("expected auto, text or json".to_owned()),
        });
        Some(Self { levels: levels?, format: format? })
    }

    /// Starts logging, for the rest of the process. What is logged before is lost.
    ///
    /// # Panics
    /// When it is called twice.
    pub fn start(self) {
        let stderr = std::io::stderr;
        let json = match self.format {
            Format::Auto => !stderr().is_terminal(),
            Format::Text => false,
            Format::Json => true,
        };
        let registry = tracing_subscriber::registry().with(self.levels);
        let lines = tracing_subscriber::fmt::layer().with_writer(stderr);
        if json {
            registry.with(lines.json().flatten_event(true)).init();
        } else {
            registry.with(lines.with_ansi(stderr().is_terminal())).init();
        }
    }
}
