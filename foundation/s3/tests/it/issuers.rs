//! Temporary credentials from servers: STS, a container's agent, the instance metadata service.

use std::net::TcpListener;

use ferror::Kind;
use s3::SessionScope;

use crate::outside::{Outside, credentials, shown, steps, used};
use crate::server::{Script, Server, answer};

const ROLE: &str = "AWS_ROLE_ARN=arn:aws:iam::123456789012:role/ci";
const STS_ANSWER: &str = r#"<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleWithWebIdentityResult><SubjectFromWebIdentityToken>s</SubjectFromWebIdentityToken><Credentials>
<AccessKeyId>ASIA-issued</AccessKeyId><SecretAccessKey>hidden-s</SecretAccessKey>
<SessionToken>hidden-t</SessionToken><Expiration>2199-01-01T00:00:00Z</Expiration>
</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"#;
const DOCUMENT: &str = r#"{"Code":"Success","AccessKeyId":"ASIA-issued","SecretAccessKey":"hidden-s","Token":"hidden-t","Expiration":"2199-01-01T00:00:00Z"}"#;

fn server(answers: &[(&str, &str)]) -> Server {
    let script = |(status, body): &(&str, &str)| Script::Answer(answer(status, &[], body));
    Server::start(answers.iter().map(script).collect())
}

fn issued() -> s3::Credentials {
    credentials("ASIA-issued", "hidden-s", Some("hidden-t"))
}

fn sts_refusal(code: &str, message: &str) -> String {
    format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error><RequestId>R</RequestId></ErrorResponse>"
    )
}

#[test]
fn a_web_identity_is_exchanged_by_one_post_with_all_in_its_body() {
    let sts = server(&[("200 OK", STS_ANSWER)]);
    let mut outside = Outside::new(&[
        ROLE,
        "CIRCLE_OIDC_TOKEN_V2=hidden.jwt.token",
        "CIRCLE_PROJECT_REPONAME=bowline",
        "CIRCLE_JOB=ship",
        "CIRCLE_BUILD_NUM=7",
    ]);
    outside.set("AWS_ENDPOINT_URL_STS", &sts.endpoint);
    outside.scope = Some(SessionScope {
        bucket: "builds".to_owned(),
        object_keys: vec!["web/a b.tar.gz".to_owned()],
        ..SessionScope::default()
    });
    assert_eq!(outside.fetch().unwrap(), issued());
    let seen = sts.seen();
    assert_eq!(seen.line, "POST / HTTP/1.1");
    assert_eq!(seen.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(seen.header("authorization"), None);
    for (name, value) in &seen.headers {
        assert!(!value.contains("hidden"), "{name} carries the token");
    }
    let body = String::from_utf8(seen.body).unwrap();
    let policy = "Policy=%7B%22Statement%22%3A%5B%7B%22Action%22%3A%5B%22s3%3APutObject%22%2C%22s3%3AGetObject%22%2C%22s3%3AAbortMultipartUpload%22%2C%22s3%3AListMultipartUploadParts%22%5D%2C%22Effect%22%3A%22Allow%22%2C%22Resource%22%3A%5B%22arn%3Aaws%3As3%3A%3A%3Abuilds%2Fweb%2Fa%20b.tar.gz%22%5D%7D";
    for part in [
        "Action=AssumeRoleWithWebIdentity",
        "&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fci&",
        "&RoleSessionName=bowline-ship-7&",
        "&Version=2011-06-15&",
        "&WebIdentityToken=hidden.jwt.token",
        policy,
    ] {
        assert!(body.contains(part), "{body} lacks {part}");
    }
}

/// Checks which server gets the token: the one that STS is named by, or none.
#[test]
fn a_token_goes_to_the_server_that_is_named_for_sts() {
    const PROFILE: &str = "[default]\nservices = s\nendpoint_url = https://profile.invalid\n";
    const QUIET: &str = "ignore_configured_endpoint_urls = true\n";
    for (variables, quiet, by) in [
        (&[][..], "", "services"),
        (&["AWS_ENDPOINT_URL=https://all.invalid"], "", "services"),
        (&["AWS_ENDPOINT_URL_STS=VARIABLE"], "", "variable"),
        (&["AWS_ENDPOINT_URL_STS=VARIABLE"], QUIET, "variable"),
        (&["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=false"], QUIET, "services"),
    ] {
        let servers =
            ["variable", "services"].map(|name| (name, server(&[("200 OK", STS_ANSWER)])));
        let [in_variable, in_services] = [&servers[0].1.endpoint, &servers[1].1.endpoint];
        let mut outside = Outside::new(&[ROLE, "CIRCLE_OIDC_TOKEN_V2=hidden.jwt"]);
        for variable in variables {
            let (name, value) = variable.split_once('=').unwrap();
            outside.set(name, &value.replace("VARIABLE", in_variable));
        }
        let services = format!(
            "[services s]\ns3 =\n  endpoint_url = https://s3.invalid\nsts =\n  endpoint_url = {in_services}\n"
        );
        outside.file(".aws/config", &format!("{PROFILE}{quiet}{services}"));
        assert_eq!(outside.fetch().unwrap(), issued(), "{variables:?} {quiet:?}");
        let asked: Vec<_> =
            servers.iter().filter(|(_, it)| it.requests() > 0).map(|(name, _)| *name).collect();
        assert_eq!(asked, [by], "{variables:?} {quiet:?}");
    }
    // Where nothing that is configured counts, AWS's own is asked, which the region names.
    for (variable, quiet) in [("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true", ""), ("X=y", QUIET)] {
        let mut outside = Outside::new(&[ROLE, "CIRCLE_OIDC_TOKEN_V2=hidden.jwt", variable]);
        outside.set("AWS_ENDPOINT_URL_STS", if quiet.is_empty() { "ftp://never" } else { "" });
        let services = "[services s]\nsts =\n  endpoint_url = ftp://never\n";
        outside.file(".aws/config", &format!("{PROFILE}{quiet}{services}"));
        assert_eq!(used(&outside.find().unwrap()), Some("web identity"));
    }
    let outside = Outside::new(&[ROLE, "CIRCLE_OIDC_TOKEN_V2=hidden.jwt"]);
    let services = "[services s]\nsts =\n  endpoint_url = http://sts.example.com\n";
    outside.file(".aws/config", &format!("{PROFILE}{services}"));
    let error = shown(&outside.find().unwrap_err());
    assert!(error.contains("endpoint_url of sts in [services s]"), "{error}");
}

#[test]
fn a_token_file_is_read_anew_for_each_exchange() {
    let sts = server(&[("200 OK", STS_ANSWER), ("200 OK", STS_ANSWER)]);
    let mut outside = Outside::new(&[ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE=HOME/token"]);
    outside.set("AWS_ENDPOINT_URL_STS", &sts.endpoint);
    outside.file("token", "first\n");
    let provider = outside.find().unwrap().provider.unwrap();
    let first = provider.current().unwrap();
    outside.file("token", "second");
    // The server gives the same again: these are all there are.
    assert!(!provider.renew(&first).unwrap());
    for expected in ["first", "second"] {
        let body = String::from_utf8(sts.seen().body).unwrap();
        assert!(body.ends_with(&format!("&WebIdentityToken={expected}")), "{body}");
        assert!(!body.contains("Policy="), "no scope, no policy: {body}");
    }
}

#[test]
fn what_sts_refuses_is_said_without_the_token() {
    let long = "hidden".repeat(20);
    let denied = sts_refusal("AccessDenied", &format!("\u{9b}31m{long} of hidden.jwt"));
    let expired = sts_refusal("ExpiredTokenException", "Token hidden.jwt expired");
    let broken = STS_ANSWER.replace("SessionToken", "Else");
    let endless = "x".repeat(70_000);
    for (status, body, kind, reason) in [
        ("403 Forbidden", denied.as_str(), Kind::Denied, "403 AccessDenied"),
        ("400 Bad Request", &expired, Kind::Refused, "run the job again"),
        ("307 Temporary Redirect", "", Kind::Refused, "307"),
        ("200 OK", &broken, Kind::Invalid, "no <SessionToken>"),
        ("200 OK", "<hidden", Kind::Invalid, "well-formed"),
        ("200 OK", "<hidden/>", Kind::Invalid, "no <Credentials>"),
        ("200 OK", &endless, Kind::Invalid, "more than 65536 bytes"),
        (
            "200 OK",
            &STS_ANSWER.replace("2199-01-01T", "hidden"),
            Kind::Invalid,
            "Expiration is not a time",
        ),
    ] {
        let sts = server(&[(status, body)]);
        let mut outside = Outside::new(&[ROLE, "CIRCLE_OIDC_TOKEN_V2=hidden.jwt"]);
        outside.set("AWS_ENDPOINT_URL_STS", &sts.endpoint);
        let error = outside.fetch().expect_err(reason);
        assert!(shown(&error).contains(reason), "{}", shown(&error));
        assert!(shown(&error).contains("web identity"), "{}", shown(&error));
        assert_eq!(error.kind(), kind, "{}", shown(&error));
    }
}

#[test]
fn a_server_that_fails_for_a_moment_is_asked_again_and_not_for_ever() {
    let away = sts_refusal("IDPCommunicationError", "try again");
    let sts = server(&[("500 Oops", ""), ("400 Bad Request", &away), ("200 OK", STS_ANSWER)]);
    let mut outside = Outside::new(&[ROLE, "CIRCLE_OIDC_TOKEN_V2=hidden.jwt"]);
    outside.set("AWS_ENDPOINT_URL_STS", &sts.endpoint);
    assert_eq!(outside.fetch().unwrap(), issued());

    let sts = server(&[("503 Slow", ""); 4]);
    let mut outside = Outside::new(&[ROLE, "CIRCLE_OIDC_TOKEN_V2=hidden.jwt"]);
    outside.set("AWS_ENDPOINT_URL_STS", &sts.endpoint);
    assert_eq!(outside.fetch().unwrap_err().kind(), Kind::Throttled);
    for _ in 0..3 {
        sts.seen();
    }
}

#[test]
fn a_containers_agent_is_asked_with_its_token_read_anew() {
    let agent = server(&[("200 OK", DOCUMENT), ("200 OK", DOCUMENT)]);
    let mut outside = Outside::new(&[
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=HOME/token",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN=hidden-unused",
    ]);
    outside.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", &format!("{}/v1/c?a=b", agent.endpoint));
    outside.file("token", "hidden-1\n");
    let provider = outside.find().unwrap().provider.unwrap();
    assert_eq!(provider.current().unwrap(), issued());
    outside.file("token", "hidden-2");
    provider.renew(&issued()).unwrap();
    for expected in ["hidden-1", "hidden-2"] {
        let seen = agent.seen();
        assert_eq!(seen.line, "GET /v1/c?a=b HTTP/1.1");
        assert_eq!(seen.header("authorization"), Some(expected));
    }
    outside.file("token", "hidden\r\nx-evil: 1");
    let error = provider.renew(&issued()).unwrap_err();
    assert!(shown(&error).contains("control character"), "{}", shown(&error));
}

#[test]
fn what_an_agent_refuses_is_said_without_the_token() {
    let body = r#"{"code":"InvalidToken","message":"hidden-1 is \u001b[31mold"}"#;
    let agent = server(&[("400 Bad Request", body)]);
    let mut outside = Outside::new(&["AWS_CONTAINER_AUTHORIZATION_TOKEN=hidden-1"]);
    outside.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", &agent.endpoint);
    let error = shown(&outside.fetch().unwrap_err());
    assert!(error.contains("400 InvalidToken: .. is  [31mold"), "{error}");
}

#[test]
fn an_instance_is_asked_by_version_2() {
    let imds =
        server(&[("200 OK", "hidden-imds-token"), ("200 OK", "the-role\n"), ("200 OK", DOCUMENT)]);
    let outside = Outside::new(&[&format!("AWS_EC2_METADATA_SERVICE_ENDPOINT={}", imds.endpoint)]);
    assert_eq!(outside.fetch().unwrap(), issued());
    let first = imds.seen();
    assert_eq!(first.line, "PUT /latest/api/token HTTP/1.1");
    assert_eq!(first.header("x-aws-ec2-metadata-token-ttl-seconds"), Some("60"));
    for path in ["", "the-role"] {
        let seen = imds.seen();
        assert_eq!(
            seen.line,
            format!("GET /latest/meta-data/iam/security-credentials/{path} HTTP/1.1")
        );
        assert_eq!(seen.header("x-aws-ec2-metadata-token"), Some("hidden-imds-token"));
    }
}

/// Checks what each list of answers leads to: a reason to go on without credentials (`?`) or an
/// error (`!`). None makes the client use version 1 of the metadata service, which needs no token.
#[test]
fn without_a_role_an_instance_has_no_credentials() {
    let token = ("200 OK", "hidden-token");
    for (answers, expected) in [
        (&[("404 Not Found", "")][..], "?answers 404 to the request for a token"),
        (&[("403 Forbidden", "")], "?answers 403 to the request for a token"),
        (&[token, ("404 Not Found", "")], "?the instance has no role"),
        (&[("500 Oops", ""); 3], "!the token of"),
        (&[("200 OK", "<html> a")], "!is not a token"),
        (&[token, ("200 OK", "")], "!is not a role's name"),
        (&[token, ("200 OK", "../../user-data")], "!a role that cannot exist"),
        (&[token, ("200 OK", "role"), ("404 Not Found", "")], "!the role's credentials of"),
        (
            &[token, ("200 OK", "role"), ("200 OK", "{\"Code\": \"Failed\"}")],
            "!Code is not Success",
        ),
    ] {
        let imds = server(answers);
        let outside =
            Outside::new(&[&format!("AWS_EC2_METADATA_SERVICE_ENDPOINT={}", imds.endpoint)]);
        match (outside.find(), expected.split_at(1)) {
            (Ok(found), ("?", reason)) => {
                assert_eq!(used(&found), None);
                assert!(steps(&found)[5].contains(reason), "{:?}", steps(&found));
            }
            (Err(error), ("!", reason)) => {
                assert!(shown(&error).contains(reason), "{} lacks {reason:?}", shown(&error));
            }
            (found, _) => panic!("{answers:?}: {found:?}, expected {expected}"),
        }
        for _ in answers {
            imds.seen();
        }
    }
}

#[test]
fn a_machine_without_a_metadata_service_just_lacks_it() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    // It accepts (the kernel does) and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    for address in [closed, silent.local_addr().unwrap()] {
        let endpoint = format!("AWS_EC2_METADATA_SERVICE_ENDPOINT=http://{address}");
        let found = Outside::new(&[&endpoint]).find().unwrap();
        assert!(found.provider.is_none());
        assert_eq!(steps(&found)[5], format!("EC2 instance: no answer from {address}"));
    }
}
