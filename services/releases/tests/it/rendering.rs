//! How the pages look in a browser: on a desktop and on a phone, light and dark.

use std::path::Path;
use std::sync::LazyLock;

use ftime::Epoch;
use serde_json::{Value, json};

use crate::browser::{Browser, Screen};
use crate::bucket::Bucket;
use crate::running::Running;

const DESKTOP: Screen = Screen { width: 1100, height: 800, is_phone: false, is_dark: false };
const PHONE: Screen = Screen { width: 375, height: 812, is_phone: true, is_dark: false };

/// What sticks out to the right, as `tag.class text`. A phone would make the whole page wider.
const STICKS_OUT: &str = "
    const width = document.documentElement.clientWidth;
    const wide = [...document.body.querySelectorAll('*')].filter(e => {
        const box = e.getBoundingClientRect();
        return box.width > 1 && box.right > width + 0.5;
    }).map(e => `${e.tagName}.${e.className} ${e.textContent.slice(0, 60)}`);
    const page = document.documentElement.scrollWidth;
    if (page > width || innerWidth != SCREEN) wide.push(`the page: ${page} in ${innerWidth}`);
    return wide;";

/// Texts with less contrast than WCAG's 4.5 to 1 (AA), as `ratio text`.
const FAINT: &str = "
    const numbers = color => color.match(/[0-9.]+/g).map(Number);
    const light = color => {
        const [r, g, b] = numbers(color).map(c => c / 255)
            .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const back = e => {
        for (; e; e = e.parentElement) {
            const color = getComputedStyle(e).backgroundColor;
            if (numbers(color)[3] !== 0) return color;
        }
        return 'rgb(255, 255, 255)';
    };
    const own = e => [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    return [...document.body.querySelectorAll('*')].filter(own).map(e => {
        const [a, b] = [light(getComputedStyle(e).color), light(back(e))].sort((a, b) => b - a);
        return [(a + 0.05) / (b + 0.05), e.textContent.slice(0, 60)];
    }).filter(([ratio]) => ratio < 4.5).map(([ratio, text]) => `${ratio.toFixed(2)} ${text}`);";

/// The landmarks and the levels of the headings, in order.
const OUTLINE: &str =
    "return [...document.querySelectorAll('nav, main, footer, h1, h2')].map(e => e.tagName);";

#[test]
#[ignore = "needs Chromium"]
fn every_page_fits_a_desktop_and_a_phone_in_both_colours() {
    let bucket = Bucket::start();
    fill(&bucket);
    let env = bucket.env("builds");
    let env: Vec<_> = env.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let service = Running::start(&env);
    let browser = Browser::start();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("releases-pages");
    std::fs::create_dir_all(&folder).expect("target can be written to");

    let mut wrong = Vec::new();
    for (name, path, heading) in [
        ("index", "/", "Releases"),
        ("service", "/oddjob", "oddjob"),
        ("release", "/oddjob/0d1ce5", "oddjob 0d1ce5"),
        ("dirty", "/mailer/4b825d-dirty.89abcdef", "mailer 4b825d-dirty.89abcdef"),
        ("missing", "/oddjob/ffffff", "oddjob has no release ffffff"),
    ] {
        for (screen_name, screen) in [("desktop", DESKTOP), ("phone", PHONE)] {
            for (scheme, is_dark) in [("light", false), ("dark", true)] {
                browser.show(&format!("{}{path}", service.url), Screen { is_dark, ..screen });
                let what = format!("{name}-{screen_name}-{scheme}");
                let heading_shown = browser.ask("return document.querySelector('h1').innerText");
                assert_eq!(heading_shown, heading, "{what}");
                let sticks_out = STICKS_OUT.replace("SCREEN", &screen.width.to_string());
                for (problem, script) in [("sticks out", sticks_out.as_str()), ("is faint", FAINT)]
                {
                    let found = browser.ask(script);
                    let found = found.as_array().expect("a list");
                    wrong.extend(found.iter().map(|found| format!("{what}: {found} {problem}")));
                }
                let dark = browser.ask("return matchMedia('(prefers-color-scheme: dark)').matches");
                assert_eq!(dark, is_dark, "{what}");
                browser.photograph(&folder.join(format!("{what}.png")));
            }
        }
        check_outline(&browser, name);
    }
    eprintln!("the pictures are in {}", folder.display());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    check_that_it_can_fail(&browser);
}

/// Checks that a page has one heading of the first level, a link back before it (except on the
/// index), and no scripts.
fn check_outline(browser: &Browser, name: &str) {
    let outline = browser.ask(OUTLINE);
    let outline: Vec<_> =
        outline.as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    let begin: &[&str] = if name == "index" { &["MAIN", "H1"] } else { &["NAV", "MAIN", "H1"] };
    assert!(outline.starts_with(begin) && outline.ends_with(&["FOOTER"]), "{name}: {outline:?}");
    assert_eq!(outline.iter().filter(|tag| **tag == "H1").count(), 1, "{name}: {outline:?}");
    assert_eq!(browser.ask("return document.scripts.length"), 0, "{name}");
}

/// Checks that the measures see what they are for.
fn check_that_it_can_fail(browser: &Browser) {
    browser
        .ask("document.querySelector('h1').style = 'width: 2000px; color: #777; background: #888'");
    let sticks_out = STICKS_OUT.replace("SCREEN", "innerWidth");
    for script in [sticks_out.as_str(), FAINT] {
        let found = browser.ask(script);
        assert!(found.as_array().is_some_and(|found| !found.is_empty()), "{script} sees nothing");
    }
}

/// Publishes two services with what makes pages wide and long: many releases and channels, dirty
/// versions, and objects that cannot be read.
fn fill(bucket: &Bucket) {
    let versions =
        ["0d1ce5", "9f31b7", "c4e2aa", "771e09", "b06d5f", "e8a3c2", "5d90f4", "2c7be1", "a91f06"];
    for (nth, version) in versions.iter().enumerate() {
        put_release(
            bucket,
            "oddjob",
            version,
            2 * nth as u64,
            &["linux_amd64", "linux_arm64", "darwin_amd64", "darwin_arm64"],
        );
    }
    put_channel(bucket, "oddjob", "edge", &[("0d1ce5", 1), ("9f31b7", 4), ("c4e2aa", 5)]);
    put_channel(bucket, "oddjob", "beta", &[("9f31b7", 3), ("771e09", 7)]);
    put_channel(bucket, "oddjob", "stable", &[("b06d5f", 7), ("5d90f4", 16), ("2c7be1", 30)]);
    put_release(bucket, "mailer", "4b825d-dirty.89abcdef", 0, &["linux_amd64"]);
    put_release(bucket, "mailer", "4b825d", 3, &["linux_amd64", "linux_arm64"]);
    put_channel(bucket, "mailer", "stable", &[("4b825d", 2)]);
    bucket.put("mailer/channels/a-channel-with-a-rather-long-name.json", br#"{"schema":2}"#);
    bucket.put("mailer/mailer_777777.json", br#"{"schema":2,"version":"777777"}"#);
}

fn put_release(bucket: &Bucket, service: &str, version: &str, days: u64, platforms: &[&str]) {
    // Two have the program of an older one.
    let program = if version == "9f31b7" { "c4e2aa" } else { &version[..6] };
    let artifacts: Vec<_> = platforms
        .iter()
        .enumerate()
        .map(|(nth, platform)| {
            let end = if nth == 0 { ".tar.gz".to_owned() } else { format!("_{platform}.tar.gz") };
            json!({ "platform": platform, "file": format!("{service}_{platform}.tar.gz"),
                "size_bytes": 1_900_000 + 4321 * days + nth as u64, "sha256": digest(version, platform),
                "unstamped_sha256": digest(program, platform),
                "object_key": format!("{service}/{service}_{version}{end}") })
        })
        .collect();
    let commit = &s3::hex(&s3::sha256(version.as_bytes()))[..34];
    let manifest = json!({
        "schema": 1, "service": service, "version": version, "dirty": version.contains("dirty"),
        "commit": format!("{}{commit}", &version[..6]), "committed_at": days_ago(days, 4000),
        "platforms": platforms, "artifacts": artifacts,
    });
    let key = format!("{service}/{service}_{version}.json");
    bucket.put(&key, manifest.to_string().as_bytes());
}

fn put_channel(bucket: &Bucket, service: &str, channel: &str, versions: &[(&str, u64)]) {
    let platforms = ["linux_amd64", "linux_arm64", "darwin_amd64", "darwin_arm64"];
    let platforms = if service == "mailer" { &platforms[..2] } else { &platforms[..] };
    let entries = versions.iter().enumerate().map(|(nth, (version, days))| {
        let artifacts = platforms.iter().map(|platform| {
            json!({ "platform": platform, "object_key": "", "size_bytes": 1,
                "sha256": digest(version, platform) })
        });
        let at = Epoch::from_secs(days_ago(*days, 0)).to_rfc3339();
        json!({ "version": version, "commit": "", "artifacts": artifacts.collect::<Value>(),
            "by": "ann <ann@example.com>", "at": at,
            "replaced": versions.get(nth + 1).map(|before| before.0) })
    });
    let object = json!({ "schema": 1, "service": service, "channel": channel,
        "entries": entries.collect::<Value>() });
    let key = format!("{service}/channels/{channel}.json");
    bucket.put(&key, object.to_string().as_bytes());
}

/// Returns a digest. Those for macOS are the same in all releases: none of their code changed.
fn digest(version: &str, platform: &str) -> String {
    let of = if platform.starts_with("darwin") {
        platform.to_owned()
    } else {
        format!("{version} {platform}")
    };
    s3::hex(&s3::sha256(of.as_bytes()))
}

/// Returns the time so many days and seconds ago. The clock is read once, so that releases are
/// whole days apart.
fn days_ago(days: u64, secs: i64) -> i64 {
    static NOW: LazyLock<i64> = LazyLock::new(|| Epoch::now().secs());
    *NOW - days.cast_signed() * 86400 - secs
}
