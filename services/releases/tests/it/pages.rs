//! What the pages show of a bucket, and what they keep to themselves.

use serde_json::{Value, json};

use crate::bucket::{Bucket, SlowBucket, env, manifest};
use crate::other_clock::{refusing, with_another_clock};
use crate::running::{Running, get};

fn start(env: &[(&'static str, String)], more: &[(&'static str, &str)]) -> Running {
    let env: Vec<_> = env.iter().map(|(name, text)| (*name, text.as_str())).collect();
    Running::start(&[&env, more].concat())
}

fn put_release(bucket: &Bucket, prefix: &str, service: &str, version: &str, archive: &[u8]) {
    bucket.put(&format!("{prefix}{service}/{service}_{version}.tar.gz"), archive);
    let manifest = manifest(prefix, service, version, archive.len());
    bucket.put(
        &format!("{prefix}{service}/{service}_{version}.json"),
        manifest.to_string().as_bytes(),
    );
}

#[test]
fn page_and_json_show_the_releases_and_the_links_download_them() {
    let bucket = Bucket::start();
    put_release(&bucket, "", "oddjob", "abc123", b"the archive");
    put_release(&bucket, "", "janitor", "abc123", b"another archive");
    bucket.put("janitor/janitor_def456.json", br#"{"schema":2,"version":"def456"}"#);
    bucket.put("unfinished/unfinished_abc123.tar.gz", b"no manifest object yet");
    bucket.put("oddjob/channels/notes_of_ann.json", b"{}");
    bucket.put("<script>/<script>_abc123.json", b"{}");
    let service = start(&bucket.env("builds"), &[]);

    let page = service.get("/");
    assert_eq!(page.status, 200, "{}", page.body);
    for text in [">oddjob</a></h2>", ">janitor</a></h2>", "11 B", "unreadable"] {
        assert!(page.body.contains(text), "{text:?} is not in:\n{}", page.body);
    }
    for text in ["unfinished", "notes", "<script", "&lt;script"] {
        assert!(!page.body.contains(text), "{text:?} is in:\n{}", page.body);
    }

    let json = service.get("/api/releases");
    assert_eq!(json.headers["content-type"], "application/json");
    let json: Value = serde_json::from_str(&json.body).expect("JSON");
    assert_eq!(json["services"].as_array().map(Vec::len), Some(2), "{json}");
    let release = &json["services"][1]["releases"][0];
    assert_eq!((&release["version"], &release["dirty"]), (&"abc123".into(), &false.into()));
    let url = release["artifacts"][0]["download_url"].as_str().expect("a link");
    let download = get(url);
    assert_eq!((download.status, download.body.as_str()), (200, "the archive"), "GET {url}");
    let html_url = url.replace('&', "&amp;");
    assert!(page.body.contains(&html_url), "the page and JSON are one view, with one link");
}

#[test]
fn a_service_and_a_release_have_pages_and_json_of_their_own() {
    let bucket = Bucket::start();
    for version in ["abc123", "def456", "abc1234"] {
        put_release(&bucket, "", "oddjob", version, b"the archive");
    }
    put_release(&bucket, "", "other", "abc123", b"of another service");
    let entries = ["def456", "abc123"].map(|version| {
        json!({"version": version, "by": "ann", "at": "2026-11-23T05:45:56Z", "commit": "",
            "artifacts": [{"platform": "linux_amd64", "size_bytes": 1, "sha256": "ab".repeat(32)}]})
    });
    let stable = json!({"schema": 1, "service": "oddjob", "channel": "stable", "entries": entries});
    bucket.put("oddjob/channels/stable.json", stable.to_string().as_bytes());
    let service = start(&bucket.env("builds"), &[]);

    let page = service.get("/oddjob");
    assert_eq!(page.status, 200, "{}", page.body);
    for text in ["<h1>oddjob</h1>", "/oddjob/def456", ">stable<", "2026-11-23T05:45:56Z", ">ann<"] {
        assert!(page.body.contains(text), "{text:?} is not in:\n{}", page.body);
    }
    assert!(!page.body.contains("other"), "{}", page.body);
    let page = service.get("/oddjob/abc123");
    assert_eq!(page.status, 200, "{}", page.body);
    for text in ["abc1230000", &"ab".repeat(32), "named it before", "2013-05-24 00:00 UTC"] {
        assert!(page.body.contains(text), "{text:?} is not in:\n{}", page.body);
    }
    assert!(!page.body.contains("abc1234"), "a longer version is another: {}", page.body);

    let json = |path: &str| {
        let answer = service.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        let mut json: Value = serde_json::from_str(&answer.body).expect("JSON");
        json["services"][0].take()
    };
    let alone = json("/api/releases/oddjob");
    assert_eq!(alone["releases"].as_array().map(Vec::len), Some(3), "{alone}");
    assert_eq!(alone["channels"][0]["entries"][0]["version"], "def456");
    let one = json("/api/releases/oddjob/abc123");
    assert_eq!(one["releases"].as_array().map(Vec::len), Some(1), "{one}");
    let release = &one["releases"][0];
    assert_eq!(release["channels"][0]["current"], false, "{release}");
    let url = release["artifacts"][0]["download_url"].as_str().expect("a link");
    assert_eq!(get(url).body, "the archive");
}

#[test]
fn a_release_says_which_older_one_has_the_same_program() {
    let bucket = Bucket::start();
    for (version, day, program) in
        [("dddddd", 4, "11"), ("cccccc", 3, "22"), ("bbbbbb", 2, "11"), ("aaaaaa", 1, "11")]
    {
        let mut manifest = manifest("", "oddjob", version, 7);
        manifest["committed_at"] = (1_400_000_000 + day * 86400).into();
        manifest["artifacts"][0]["unstamped_sha256"] = program.repeat(32).into();
        let key = format!("oddjob/oddjob_{version}.json");
        bucket.put(&key, manifest.to_string().as_bytes());
    }
    let service = start(&bucket.env("builds"), &[]);
    let same = |path: &str| {
        let json: Value = serde_json::from_str(&service.get(path).body).expect("JSON");
        let releases = json["services"][0]["releases"].as_array().expect("releases").clone();
        releases.into_iter().map(|mut it| it["same_program_as"].take()).collect::<Vec<_>>()
    };
    let expected = [json!("bbbbbb"), json!(null), json!("aaaaaa"), json!(null)];
    assert_eq!(same("/api/releases/oddjob"), expected);
    assert_eq!(same("/api/releases"), expected);
    assert_eq!(same("/api/releases/oddjob/dddddd"), [json!(null)], "it is shown alone");
    let page = service.get("/oddjob").body;
    for version in ["bbbbbb", "aaaaaa"] {
        let link = format!("<a class=\"version\" href=\"/oddjob/{version}\">{version}</a>");
        let says = format!("<small>same program as {link}</small>");
        assert!(page.contains(&says), "{says} is not in:\n{page}");
    }
    assert_eq!(page.matches("same program as").count(), 2, "{page}");
}

#[test]
fn ages_and_links_are_by_the_clock_of_the_server() {
    let bucket = Bucket::start();
    put_release(&bucket, "", "oddjob", "abc123", b"the archive");
    let uploaded = |service: &Running| {
        let page = service.get("/oddjob/abc123").body;
        let shown = page.split_once("<dt>uploaded</dt>").expect("when it was uploaded").1;
        shown.split_once("</dd>").expect("its end").0.to_owned()
    };
    assert!(uploaded(&start(&bucket.env("builds"), &[])).contains(", just now<"));

    // Ten minutes and a half, because the server behind it lets that pass. The half is for what the test takes.
    let endpoint = with_another_clock(&bucket.server.endpoint(), 630);
    let service = start(&env("builds", &endpoint, bucket.server.credentials()), &[]);
    let json = service.get("/api/releases").body;
    let json: Value = serde_json::from_str(&json).expect("JSON");
    let seconds = |field: &str| json[field].as_i64().expect("seconds");
    let ahead = seconds("read_at") - ftime::Epoch::now().secs();
    assert!((300..=630).contains(&ahead), "{json}");
    let lasts = seconds("links_until") - seconds("read_at");
    assert!((3598..=3600).contains(&lasts), "{json}");
    let shown = uploaded(&service);
    assert!(shown.contains(", 10 minutes ago<") || shown.contains(", 11 minutes ago<"), "{shown}");
}

#[test]
fn an_object_that_the_bucket_does_not_give_hides_no_other() {
    let bucket = Bucket::start();
    for version in ["abc123", "def456"] {
        put_release(&bucket, "", "oddjob", version, b"the archive");
    }
    bucket.put("oddjob/channels/stable.json", br#"{"schema":1,"entries":[{"version":"def456"}]}"#);
    // One code that is not tried again, so that nobody waits here.
    let endpoint = refusing(&bucket.server.endpoint(), |_, head| {
        let line = head.lines().next().unwrap_or_default();
        let refused = ["oddjob_abc123.json", "stable.json"].iter().any(|key| line.contains(key));
        refused.then(|| ("501 No".to_owned(), "NotImplemented"))
    });
    let service = start(&env("builds", &endpoint, bucket.server.credentials()), &[]);
    for path in ["/api/releases", "/api/releases/oddjob"] {
        let answer = service.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        let json: Value = serde_json::from_str(&answer.body).expect("JSON");
        let oddjob = &json["services"][0];
        let found = oddjob["releases"].as_array().expect("releases").iter();
        let found: Vec<_> = found.map(|it| (&it["version"], it["unreadable"].as_str())).collect();
        let why = Some("the bucket does not give it (refused)");
        for expected in [(&"abc123".into(), why), (&"def456".into(), None)] {
            assert!(found.contains(&expected), "{path}: {expected:?} is not in {found:?}");
        }
        assert_eq!(oddjob["channels"][0]["unreadable"].as_str(), why, "{json}");
    }
    // A page of that object alone has nothing else to show.
    assert_eq!(service.get("/api/releases/oddjob/abc123").status, 502);

    // Nor is there anything to show where the bucket gives no object.
    for number in 0..9 {
        put_release(&bucket, "", "oddjob", &format!("abcde{number}"), b"the archive");
    }
    let endpoint = refusing(&bucket.server.endpoint(), |_, head| {
        head.contains(".json").then(|| ("501 No".to_owned(), "NotImplemented"))
    });
    let service = start(&env("builds", &endpoint, bucket.server.credentials()), &[]);
    assert_eq!(service.get("/api/releases").status, 502);
}

#[test]
fn of_many_services_each_has_rows() {
    let bucket = Bucket::start();
    // What is read for them all together is less than this.
    let (services, releases) = (22, 20);
    for (service, release) in (0..services).flat_map(|s| (0..releases).map(move |r| (s, r))) {
        let (service, version) = (format!("s{service:02}"), format!("abc{release:03}"));
        let bytes = manifest("", &service, &version, 1).to_string();
        bucket.put(&format!("{service}/{service}_{version}.json"), bytes.as_bytes());
    }
    let service = start(&bucket.env("builds"), &[]);
    let json: Value = serde_json::from_str(&service.get("/api/releases").body).unwrap();
    let counts = json["services"].as_array().unwrap().iter().map(|service| {
        (service["releases"].as_array().map(Vec::len), service["not_shown"].as_u64())
    });
    let counts: Vec<_> = counts.collect();
    assert_eq!(counts, [(Some(18), Some(2)); 22]);
    let page = service.get("/").body;
    assert_eq!(page.matches("all 20 releases").count(), services, "{page}");
    let last = page.split_once(">s21</a></h2>").expect("the last service").1;
    assert!(last.contains("href=\"/s21/abc0"), "no row of it: {last}");
}

#[test]
fn what_is_not_there_is_a_404_that_says_what() {
    let bucket = Bucket::start();
    put_release(&bucket, "", "oddjob", "abc123", b"the archive");
    bucket.put("unfinished/unfinished_abc123.tar.gz", b"no manifest object yet");
    let service = start(&bucket.env("builds"), &[]);
    let check = |path: &str, says: &str| {
        let page = service.get(path);
        assert_eq!(page.status, 404, "{path}: {}", page.body);
        assert!(page.body.contains(says), "{path}: {says:?} is not in:\n{}", page.body);
        assert!(page.body.contains("href=\"/\""), "{path}: no way back:\n{}", page.body);
        let json = service.get(&format!("/api/releases{path}"));
        assert_eq!(json.status, 404, "{path}: {}", json.body);
        assert!(json.body.contains("\"not_found\""), "{path}: {}", json.body);
    };
    check("/frobnicate", "There is no service frobnicate");
    check("/unfinished", "There is no service unfinished");
    check("/oddjob/def456", "oddjob has no release <span class=\"version\">def456<");
    check("/oddjob/latest", "There is no such page");
    check("/%3Cb%3E", "There is no such page");
    assert!(service.get("/oddjob/").body.contains("abc123"), "people type a slash at the end");
    assert_eq!(service.get("/%3Cb%3E/").status, 404);
}

#[test]
fn a_prefix_is_a_folder_and_nothing_outside_it_is_shown() {
    let bucket = Bucket::start();
    put_release(&bucket, "team/", "oddjob", "abc123", b"ours");
    put_release(&bucket, "", "stranger", "abc123", b"theirs");
    let service = start(&bucket.env("builds"), &[("S3_PREFIX", "team")]);
    let page = service.get("/").body;
    assert!(page.contains(">oddjob</a></h2>"), "{page}");
    assert!(page.contains("team/oddjob/oddjob_abc123.tar.gz?"), "{page}");
    assert!(!page.contains("stranger"), "{page}");
}

#[test]
fn every_answer_has_the_headers_and_the_policy_allows_the_style() {
    let bucket = Bucket::start();
    let service = start(&bucket.env("builds"), &[]);
    for (path, status) in
        [("/", 200), ("/api/releases", 200), ("/healthz", 200), ("/version", 200), ("/x", 404)]
    {
        let answer = service.get(path);
        assert_eq!(answer.status, status, "{path}");
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; "), "{path}: {policy}");
        let drawn = !["/healthz", "/version"].contains(&path);
        assert_eq!(policy.contains("; style-src 'sha256-"), drawn, "{path}: {policy}");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(answer.headers["referrer-policy"], "no-referrer", "{path}");
        assert_eq!(answer.headers["cache-control"], "no-store", "{path}");
    }
    let version: Value = serde_json::from_str(&service.get("/version").body).unwrap();
    assert_eq!((&version["service"], &version["version"]), (&"releases".into(), &"DEV".into()));
    let style = service.get("/").body;
    let style = style.split_once("<style>").unwrap().1.split_once("</style>").unwrap().0;
    let policy = service.get("/").headers["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains(&base64_of_sha256(style)), "the digest is of another style: {policy}");
}

fn base64_of_sha256(text: &str) -> String {
    use base64::Engine as _;
    base64::prelude::BASE64_STANDARD.encode(s3::sha256(text.as_bytes()))
}

#[test]
fn a_failing_bucket_is_a_502_or_503_that_says_the_code_and_no_more() {
    let bucket = Bucket::start();
    let mut denied = bucket.env("builds");
    denied[3].1 = "not-the-secret-of-this-bucket".to_owned();
    let mut away = bucket.env("builds");
    // Port 9 is refused at once: nothing listens there.
    away[1].1 = "http://127.0.0.1:9".to_owned();
    let check = |env: &[(&'static str, String)], status: u16, kind: &str, code: Value| {
        let service = start(env, &[]);
        let page = service.get("/");
        assert_eq!(page.status, status, "{}", page.body);
        assert!(page.body.contains(&format!("<strong>{kind}</strong>")), "{}", page.body);
        let json = service.get("/api/releases");
        assert_eq!(json.status, status, "{}", json.body);
        let json: Value = serde_json::from_str(&json.body).unwrap();
        assert_eq!((&json["error"]["kind"], &json["error"]["s3_code"]), (&kind.into(), &code));
        let log = service.wait_for_log("cannot read the bucket").join("\n");
        let (key, secret) = (&env[2].1, &env[3].1);
        for (place, text) in [("page", &page.body), ("log", &log)] {
            assert!(!text.contains(secret.as_str()), "the secret is in the {place}: {text}");
        }
        assert!(!page.body.contains(key.as_str()), "the key id is in the page: {}", page.body);
        assert_eq!(service.get("/healthz").status, 200, "the service itself is fine");
    };
    check(&bucket.env("nobodys"), 502, "not_found", "NoSuchBucket".into());
    check(&denied, 502, "denied", "SignatureDoesNotMatch".into());
    check(&away, 503, "unavailable", Value::Null);
}

#[test]
fn a_storm_of_page_views_is_one_request_to_the_bucket() {
    let (real, slow) = (Bucket::start(), SlowBucket::start());
    let service = start(&env("builds", &slow.endpoint, real.server.credentials()), &[]);
    let url = &service.url;
    std::thread::scope(|scope| {
        let views: Vec<_> = (0..20).map(|_| scope.spawn(|| get(url).status)).collect();
        slow.wait_for_request();
        slow.answer();
        for view in views {
            assert_eq!(view.join().expect("a view"), 200);
        }
    });
    assert_eq!(slow.more_requests(), 0, "twenty views within a few seconds ask once");
}

#[test]
fn a_page_of_one_service_reads_no_other_and_is_read_once_too() {
    let (real, slow) = (Bucket::start(), SlowBucket::start());
    let service = start(&env("builds", &slow.endpoint, real.server.credentials()), &[]);
    assert_eq!(service.get("/no.such.name").status, 404, "no bucket need be asked for that");
    let url = &format!("{}/oddjob", service.url);
    std::thread::scope(|scope| {
        let views: Vec<_> = (0..20).map(|_| scope.spawn(|| get(url).status)).collect();
        let request = slow.wait_for_request();
        assert!(request.contains("prefix=oddjob%2F"), "{request}");
        slow.answer();
        for view in views {
            assert_eq!(view.join().expect("a view"), 404, "the bucket is empty");
        }
    });
    assert_eq!(slow.more_requests(), 0, "twenty views within a few seconds ask once");
}

#[test]
fn visitors_of_many_pages_do_not_keep_the_overview_waiting() {
    let (real, slow) = (Bucket::start(), SlowBucket::start());
    let service = start(&env("builds", &slow.endpoint, real.server.credentials()), &[]);
    let url = |path: &str| format!("{}/{path}", service.url);
    let nowhere: Vec<_> = (0..8).map(|at| url(&format!("nothing{at}"))).collect();
    std::thread::scope(|scope| {
        for url in &nowhere {
            scope.spawn(|| get(url));
        }
        for _ in 0..4 {
            assert!(slow.wait_for_request().contains("prefix=nothing"));
        }
        let overview = scope.spawn(|| get(&url("")).status);
        let request = slow.wait_for_request();
        assert!(!request.contains("nothing"), "{request}");
        for _ in 0..=nowhere.len() {
            slow.answer();
        }
        assert_eq!(overview.join().expect("a view"), 200);
    });
}
