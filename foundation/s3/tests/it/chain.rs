//! Tests of the search for credentials: the order of the sources, and profile files.

use ferror::Kind;
use s3::{NamedServer, SERVER_VARIABLES, ServerInputs, find_credentials, find_server};

use crate::outside::{Outside, credentials, shown, steps, used};

const S3: [&str; 2] = ["S3_KEY=old-scripts", "S3_SECRET=hidden"];
const AWS: [&str; 3] =
    ["AWS_ACCESS_KEY_ID=aws-pair", "AWS_SECRET_ACCESS_KEY=hidden", "AWS_SESSION_TOKEN=hidden-t"];
const WEB: [&str; 2] = ["AWS_ROLE_ARN=arn:aws:iam::1:role/r", "CIRCLE_OIDC_TOKEN_V2=hidden.t"];
const CONTAINER: [&str; 1] = ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/v2/hidden"];
const KEYS: &str = "[default]\naws_access_key_id = by-profile\naws_secret_access_key = hidden\n";

#[test]
fn sources_are_used_in_their_order() {
    let all = [&S3[..], &AWS, &WEB, &CONTAINER].concat();
    for (skipped, expected) in
        [(0, "S3_KEY"), (2, "AWS_ACCESS_KEY_ID"), (5, "web identity"), (7, "container")]
    {
        let found = Outside::new(&all[skipped..]).find().unwrap();
        assert_eq!(used(&found), Some(expected));
    }
    let with_files = |variables: &[&str]| {
        let outside = Outside::new(variables);
        let found = outside.file(".aws/credentials", KEYS).find().unwrap();
        used(&found)
    };
    assert_eq!(with_files(&all[2..]), Some("AWS_ACCESS_KEY_ID"));
    assert_eq!(with_files(&all[5..]), Some("profile"));
}

#[test]
fn the_steps_say_what_each_source_lacks() {
    let mut outside =
        Outside::new(&["S3_KEY= ", "AWS_SESSION_TOKEN=hidden", "CIRCLE_OIDC_TOKEN_V2=hidden"]);
    let found = outside.find().unwrap();
    assert!(found.provider.is_none());
    assert_eq!(
        steps(&found),
        [
            "S3_KEY: neither S3_KEY nor S3_SECRET is set",
            "AWS_ACCESS_KEY_ID: neither AWS_ACCESS_KEY_ID nor AWS_SECRET_ACCESS_KEY is set",
            "profile: no profile file has a profile \"default\"",
            "web identity: AWS_ROLE_ARN is not set",
            "container: neither AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor AWS_CONTAINER_CREDENTIALS_FULL_URI is set",
            "EC2 instance: AWS_EC2_METADATA_DISABLED is true",
        ]
    );
    outside.set("AWS_ACCESS_KEY_ID", "aws-pair");
    outside.set("AWS_SECRET_ACCESS_KEY", "hidden");
    let found = outside.find().unwrap();
    assert_eq!(steps(&found).last().unwrap(), "AWS_ACCESS_KEY_ID: used");
    assert_eq!(
        format!("{:?}", found.provider.unwrap()),
        "CredentialProvider(AWS_ACCESS_KEY_ID, Credentials(..pair))"
    );
}

#[test]
fn the_session_token_belongs_to_its_own_pair() {
    let pairs = [&S3[..], &AWS].concat();
    assert_eq!(Outside::new(&pairs).fetch().unwrap(), credentials("old-scripts", "hidden", None));
    let with_token = credentials("aws-pair", "hidden", Some("hidden-t"));
    assert_eq!(Outside::new(&AWS).fetch().unwrap(), with_token);
}

#[test]
fn half_of_anything_is_an_error_and_never_the_next_source() {
    for (variables, names) in [
        (&["S3_KEY=x"][..], ["S3_KEY", "S3_SECRET"]),
        (&["S3_SECRET=hidden"], ["S3_KEY", "S3_SECRET"]),
        (&["AWS_ACCESS_KEY_ID=x"], ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]),
        (&["AWS_SECRET_ACCESS_KEY=hidden"], ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]),
        (
            &["AWS_ROLE_ARN=x"],
            ["AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE or CIRCLE_OIDC_TOKEN_V2"],
        ),
        (&["AWS_WEB_IDENTITY_TOKEN_FILE=x"], ["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"]),
        (&["AWS_PROFILE=absent"], ["profile \"absent\"", "AWS_PROFILE"]),
        (
            &["S3_KEY=x", "S3_SECRET=hidden "],
            ["S3_SECRET begins or ends with a blank", "set S3_SECRET anew"],
        ),
        (&["AWS_ROLE_ARN=hidden", "CIRCLE_OIDC_TOKEN_V2=t"], ["AWS_ROLE_ARN", "arn:aws:iam"]),
        (
            &["AWS_ROLE_ARN=arn:aws:iam::1:role/r", "CIRCLE_OIDC_TOKEN_V2=hidden\r\nx: y"],
            ["CIRCLE_OIDC_TOKEN_V2", "control character"],
        ),
        (
            &["AWS_ROLE_ARN=arn:aws:iam::1:role/r", "AWS_WEB_IDENTITY_TOKEN_FILE=HOME/absent"],
            ["AWS_WEB_IDENTITY_TOKEN_FILE", "cannot read"],
        ),
        (
            &[WEB[0], WEB[1], "AWS_ENDPOINT_URL_STS=http://sts.example.com"],
            ["AWS_ENDPOINT_URL_STS", "https"],
        ),
        (
            &["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=@evil.example/"],
            ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "begin with a /"],
        ),
        (
            &["AWS_CONTAINER_CREDENTIALS_FULL_URI=http://10.0.0.1/"],
            ["AWS_CONTAINER_CREDENTIALS_FULL_URI", "169.254.170.23"],
        ),
        (
            &[CONTAINER[0], "AWS_CONTAINER_AUTHORIZATION_TOKEN=hidden\n"],
            ["AWS_CONTAINER_AUTHORIZATION_TOKEN", "control character"],
        ),
        (
            &["AWS_EC2_METADATA_SERVICE_ENDPOINT=https://imds.example.com"],
            ["AWS_EC2_METADATA_SERVICE_ENDPOINT", "169.254.169.254"],
        ),
    ] {
        let error = Outside::new(variables).find().expect_err(variables[0]);
        assert_eq!(error.kind(), Kind::Config, "{variables:?}: {error:?}");
        for name in names {
            assert!(
                shown(&error).contains(name),
                "{variables:?}: {} lacks {name:?}",
                shown(&error)
            );
        }
    }
}

/// Checks which file's profile is used. Each row has the variables, the credentials file, the
/// config file, and the access key id that is found, or a part of the error (`!`) or of the step's
/// reason to find nothing (`?`).
#[test]
fn profiles_are_read_from_both_files() {
    let team = "[team]\naws_access_key_id=by-team\naws_secret_access_key=hidden\naws_session_token=hidden-t";
    let in_config = "[profile team]\naws_access_key_id=in-config\naws_secret_access_key=hidden";
    let process = "[default]\ncredential_process = printf '{\"Version\":1,\"AccessKeyId\":\"printed\",\"SecretAccessKey\":\"hidden\"}'";
    for (variables, credentials_file, config_file, expected) in [
        (&[][..], KEYS, "", "by-profile"),
        (&["AWS_PROFILE=team"], team, KEYS, "by-team"),
        (&["AWS_PROFILE=team"], KEYS, in_config, "in-config"),
        (&["AWS_PROFILE=team"], team, in_config, "by-team"),
        (&["AWS_PROFILE=default"], KEYS, "", "by-profile"),
        (&["AWS_PROFILE= "], KEYS, "", "by-profile"),
        (&[], "", process, "printed"),
        (&[], KEYS, process, "by-profile"),
        (&[], &format!("{process}\naws_access_key_id="), KEYS, "printed"),
        (&["AWS_PROFILE=other"], team, in_config, "!no profile file has a profile \"other\""),
        (&["AWS_PROFILE=t"], "[t]\nregion=x", "", "!has neither keys nor credential_process"),
        (&[], "[default]\nregion=x", "", "?has neither keys nor credential_process"),
        (&[], "[default]\naws_access_key_id=x", "", "!aws_secret_access_key is not"),
        (&[], "[default]\naws_access_key_id=x", KEYS, "!aws_secret_access_key is not"),
        (
            &[],
            "[default]\naws_access_key_id=x\naws_secret_access_key=hid den",
            "",
            "!the secret access key holds",
        ),
        (
            &[],
            "",
            "[default]\ncredential_process=\"hidden",
            "!credential_process ends within quotation marks",
        ),
        (&[], "[default]\nhidden", "", "!line 2 is not NAME = VALUE"),
        (
            &["AWS_PROFILE=t"],
            "",
            "[profile t]\nsso_session=hidden",
            "!asks for sso_session, which is not supported",
        ),
        (
            &[],
            "",
            "[default]\nsso_start_url=hidden",
            "?asks for sso_start_url, which is not supported",
        ),
        (
            &["AWS_PROFILE=team"],
            team,
            "[profile team]\nrole_arn=hidden\nsource_profile=x",
            "!asks for source_profile",
        ),
        (
            &["AWS_PROFILE=t"],
            "[t]\nrole_arn=x\nweb_identity_token_file=hidden",
            "",
            "!AWS_WEB_IDENTITY_TOKEN_FILE",
        ),
    ] {
        let outside = Outside::new(variables);
        outside.file(".aws/credentials", credentials_file).file(".aws/config", config_file);
        let case = format!("{variables:?} {credentials_file:?} {config_file:?}");
        if let Some(reason) = expected.strip_prefix('!') {
            let error = outside.find().expect_err(&case);
            assert_eq!(error.kind(), Kind::Config, "{case}: {error:?}");
            assert!(shown(&error).contains(reason), "{case}: {}", shown(&error));
        } else if let Some(reason) = expected.strip_prefix('?') {
            let found = outside.find().expect(&case);
            assert!(steps(&found)[2].contains(reason), "{case}: {:?}", steps(&found));
        } else {
            assert_eq!(outside.fetch().expect(&case).access_key_id(), expected, "{case}");
        }
    }
}

#[test]
fn the_files_can_be_named() {
    let outside = Outside::new(&[
        "AWS_SHARED_CREDENTIALS_FILE=HOME/keys",
        "AWS_CONFIG_FILE=~/elsewhere/config",
        "AWS_PROFILE=b",
    ]);
    outside.file("keys", "[a]\naws_access_key_id=a\naws_secret_access_key=hidden");
    outside
        .file("elsewhere/config", "[profile b]\naws_access_key_id=b\naws_secret_access_key=hidden");
    outside.file(".aws/credentials", "[b]\naws_access_key_id=wrong\naws_secret_access_key=hidden");
    assert_eq!(outside.fetch().unwrap().access_key_id(), "b");
    outside.file("keys", "hidden");
    assert!(shown(&outside.find().unwrap_err()).contains("keys: line 1 stands before"));
    std::fs::write(outside.home.path().join("keys"), b"\xffhidden").unwrap();
    assert!(shown(&outside.find().unwrap_err()).contains("cannot read"));
}

#[test]
fn an_empty_outside_is_no_error() {
    let found = find_credentials(&s3::CredentialInputs {
        variable: &|name| (name == "AWS_EC2_METADATA_DISABLED").then(|| "TRUE".to_owned()),
        home: None,
        child_environment: Vec::new(),
        roots_pem: None,
        region: String::new(),
        scope: None,
    });
    assert!(found.provider.unwrap().is_none());
}

/// Checks the endpoint and the region that are found, with `-` for none.
fn server(
    outside: &Outside,
    given: [&str; 2],
    configured: [&str; 2],
) -> ferror::Result<[String; 2]> {
    let named = |[endpoint, region]: [&str; 2]| {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        NamedServer { endpoint: some(endpoint), region: some(region) }
    };
    let variable = |name: &str| {
        assert!(SERVER_VARIABLES.contains(&name), "{name} is asked for and not in the table");
        outside.variable(name)
    };
    let found = find_server(&ServerInputs {
        given: named(given),
        configured: named(configured),
        variable: &variable,
        home: Some(outside.home().to_owned()),
    })?;
    Ok([found.endpoint, found.region].map(|text| text.unwrap_or_else(|| "-".to_owned())))
}

const ELSEWHERE: &str = "[default]\nregion = r-default\n\
    [profile other]\nregion = r-profile\nendpoint_url = https://profile\n\
    [profile ours]\nservices = ours\nendpoint_url = https://profile\n\
    [profile sts]\nservices = sts\nendpoint_url = https://profile\n\
    [profile quiet]\nendpoint_url = https://profile\nignore_configured_endpoint_urls = TRUE\n\
    [services ours]\ns3 =\n  endpoint_url = https://services\n\
    [services sts]\nsts =\n  endpoint_url = https://sts\n";

#[test]
fn server_and_region_are_found_as_aws_tools_do() {
    const NONE: [&str; 2] = ["", ""];
    const TABLE: [&str; 2] = ["https://table", "r-table"];
    const IGNORE: &str = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true";
    const E_S3: &str = "AWS_ENDPOINT_URL_S3=https://env-s3";
    const E_ALL: &str = "AWS_ENDPOINT_URL=https://env";
    const OTHER: &str = "AWS_PROFILE=other";
    for (variables, given, configured, expected) in [
        (&[][..], NONE, NONE, ["-", "r-default"]),
        (&[OTHER], NONE, NONE, ["https://profile", "r-profile"]),
        (&["AWS_PROFILE=ours"], NONE, NONE, ["https://services", "-"]),
        (&["AWS_PROFILE=sts"], NONE, NONE, ["https://profile", "-"]),
        (&["AWS_PROFILE=quiet"], NONE, NONE, ["-", "-"]),
        (&["AWS_PROFILE=absent"], NONE, NONE, ["-", "-"]),
        (&[OTHER], NONE, TABLE, TABLE),
        (&[OTHER], NONE, ["", "r-table"], ["https://profile", "r-table"]),
        (&[OTHER, E_ALL], NONE, TABLE, ["https://env", "r-table"]),
        (&[OTHER, E_ALL, E_S3], NONE, NONE, ["https://env-s3", "r-profile"]),
        (&[OTHER, E_ALL, "AWS_ENDPOINT_URL_S3= "], NONE, NONE, ["https://env", "r-profile"]),
        (&[OTHER, E_S3], ["https://given", ""], NONE, ["https://given", "r-profile"]),
        (&[OTHER, E_S3, IGNORE], NONE, NONE, ["-", "r-profile"]),
        (&[OTHER, E_S3, IGNORE], NONE, TABLE, TABLE),
        (&[OTHER, E_S3, IGNORE], ["https://given", ""], NONE, ["https://given", "r-profile"]),
        (
            &["AWS_PROFILE=quiet", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=false"],
            NONE,
            NONE,
            ["https://profile", "-"],
        ),
        (&[OTHER, "AWS_DEFAULT_REGION=r-env"], NONE, TABLE, ["https://table", "r-env"]),
        (
            &[OTHER, "AWS_DEFAULT_REGION=r-env", "AWS_REGION=r-first"],
            NONE,
            NONE,
            ["https://profile", "r-first"],
        ),
    ] {
        let outside = Outside::new(variables);
        outside.file(".aws/config", ELSEWHERE);
        let found = server(&outside, given, configured).unwrap();
        assert_eq!(found, expected, "{variables:?} {given:?} {configured:?}");
    }
    // The credentials file may say so too, as for the AWS CLI.
    let outside = Outside::new(&[]);
    outside.file(".aws/credentials", &format!("{KEYS}endpoint_url = https://credentials\n"));
    assert_eq!(server(&outside, NONE, NONE).unwrap(), ["https://credentials", "-"]);
}

#[test]
fn a_profile_that_names_no_server_is_an_error_that_says_where() {
    for (text, problem) in [
        ("[default]\nendpoint_url = ftp://hidden", "endpoint_url of profile \"default\""),
        ("[default]\nservices = a\n[services a]\ns3=\n  endpoint_url = hidden", "in [services a]"),
        ("[default]\nservices = b\n[services a]\n", "no [services b] is there"),
        ("[default]\nhidden\n", "line 2 is not NAME = VALUE"),
    ] {
        let outside = Outside::new(&[]);
        outside.file(".aws/config", text);
        let error = server(&outside, ["", ""], ["", ""]).unwrap_err();
        assert_eq!(error.kind(), Kind::Config);
        let shown = format!("{error:#}");
        assert!(shown.contains(problem) && !shown.contains("hidden"), "{shown}");
        // Where nothing is missing, the files are not looked at.
        server(&outside, ["https://given", "r"], ["", ""]).unwrap();
    }
}
