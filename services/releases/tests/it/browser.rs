//! A headless Chromium, driven by its chromedriver over HTTP (the W3C's protocol, and Chrome's own
//! commands for what that lacks). Both are Debian packages, installed when they are missing.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use serde_json::{Value, json};
use tempfile::TempDir;

const BROWSER: &str = "/usr/bin/chromium";
const DRIVER: &str = "/usr/bin/chromedriver";
/// The fonts are what the pages ask for where the system has no other.
const PACKAGES: [&str; 3] = ["chromium", "chromium-driver", "fonts-liberation"];
/// Longer than anything here takes, on a slow machine too.
const AT_MOST: Duration = Duration::from_mins(2);

/// A browser with one window. Dropping it ends it.
pub(crate) struct Browser {
    driver: Child,
    /// Of its session.
    url: String,
    agent: ureq::Agent,
    profile: TempDir,
}

/// What a page is looked at with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    /// In CSS pixels.
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) is_phone: bool,
    pub(crate) is_dark: bool,
}

impl Browser {
    pub(crate) fn start() -> Self {
        install();
        let profile = TempDir::new().expect("a temporary folder");
        let mut driver = Command::new(DRIVER)
            .arg("--port=0")
            // What the browser leaves there goes with it.
            .env("TMPDIR", profile.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts");
        let said = BufReader::new(driver.stdout.take().expect("stdout is piped")).lines();
        let port = said.map_while(Result::ok).find_map(|line| {
            Some(line.split_once("successfully on port ")?.1.trim_end_matches('.').to_owned())
        });
        let config =
            ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(AT_MOST));
        let mut browser = Self {
            driver,
            url: format!("http://127.0.0.1:{}/session", port.expect("chromedriver says its port")),
            agent: ureq::Agent::new_with_config(config.build()),
            profile,
        };
        let folder = format!("--user-data-dir={}", browser.profile.path().display());
        let args = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            &folder,
        ];
        let options = json!({ "binary": BROWSER, "args": args });
        let session = browser.post(
            "",
            &json!({ "capabilities": { "alwaysMatch": { "goog:chromeOptions": options } } }),
        );
        let id = session["sessionId"].as_str().expect("a session has an id");
        browser.url = format!("{}/{id}", browser.url);
        browser
    }

    /// Shows what lies at `url` on this screen.
    pub(crate) fn show(&self, url: &str, screen: Screen) {
        let scheme = if screen.is_dark { "dark" } else { "light" };
        self.chrome(
            "Emulation.setDeviceMetricsOverride",
            &json!({ "width": screen.width, "height": screen.height, "mobile": screen.is_phone,
                "deviceScaleFactor": 1 }),
        );
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.chrome("Emulation.setEmulatedMedia", &json!({ "features": features }));
        self.post("/url", &json!({ "url": url }));
    }

    /// Returns what a function body of JavaScript returns: it is ours, and runs beside the page's own.
    pub(crate) fn ask(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Writes all of the page, also what lies below the screen, as a PNG.
    pub(crate) fn photograph(&self, file: &Path) {
        let size = self.ask(
            "return [document.documentElement.clientWidth, document.documentElement.scrollHeight]",
        );
        let clip = json!({ "x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1 });
        let taken = self.chrome(
            "Page.captureScreenshot",
            &json!({ "format": "png", "clip": clip, "captureBeyondViewport": true }),
        );
        let png =
            base64::prelude::BASE64_STANDARD.decode(taken["data"].as_str().expect("a picture"));
        std::fs::write(file, png.expect("base64")).expect("the folder can be written to");
    }

    fn chrome(&self, command: &str, params: &Value) -> Value {
        self.post("/goog/cdp/execute", &json!({ "cmd": command, "params": params }))
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.url);
        let sent = self.agent.post(&url).content_type("application/json").send(body.to_string());
        let mut answer = sent.unwrap_or_else(|error| panic!("POST {url}: {error}"));
        // A picture of a long page is several megabytes.
        let text = answer.body_mut().with_config().limit(64 << 20).read_to_string().expect("text");
        let mut answer: Value = serde_json::from_str(&text).expect("chromedriver answers JSON");
        let value = answer["value"].take();
        assert!(value["error"].is_null(), "{path} {body}: {value}");
        value
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends the browser, and then can be ended itself.
        let _ = self.agent.delete(&self.url).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// Installs what is missing, and says so.
fn install() {
    if [BROWSER, DRIVER].iter().all(|file| Path::new(file).exists()) {
        return;
    }
    eprintln!("installing {} by apt-get", PACKAGES.join(", "));
    // Another test may be installing something.
    let wait = ["--option", "DPkg::Lock::Timeout=300"];
    let install = ["install", "--yes", "--no-install-recommends", "--no-remove"];
    for args in [&[&["update"], &wait[..]].concat(), &[&install[..], &wait, &PACKAGES].concat()] {
        let line = format!("apt-get {}", args.join(" "));
        let output = Command::new("apt-get")
            .args(args)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null())
            .output();
        let said = match output {
            Ok(output) if output.status.success() => continue,
            Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
            Err(error) => error.to_string(),
        };
        panic!(
            "this test needs {BROWSER} and {DRIVER}, which could not be installed: `{line}`: {said}\n\
             hint: as root, on Debian, install {}",
            PACKAGES.join(" ")
        );
    }
}
