//! The written forms, by data: one instant in each, and what is one step off.

use ferror::Kind;

use crate::Epoch;

type Parse = fn(&str) -> ferror::Result<Epoch>;

/// One instant in all forms: seconds, RFC 3339, RFC 1123, `date -R`, compact.
const INSTANTS: [(i64, &str, &str, &str, &str); 9] = [
    (
        0,
        "1970-01-01T00:00:00Z",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "Thu, 01 Jan 1970 00:00:00 +0000",
        "19700101T000000Z",
    ),
    (
        1_369_353_600,
        "2013-05-24T00:00:00Z",
        "Fri, 24 May 2013 00:00:00 GMT",
        "Fri, 24 May 2013 00:00:00 +0000",
        "20130524T000000Z",
    ),
    (
        1_175_024_202,
        "2007-03-27T19:36:42Z",
        "Tue, 27 Mar 2007 19:36:42 GMT",
        "Tue, 27 Mar 2007 19:36:42 +0000",
        "20070327T193642Z",
    ),
    // Leap days: of a fourth year, of a four-hundredth; and none in a hundredth.
    (
        1_709_251_199,
        "2024-02-29T23:59:59Z",
        "Thu, 29 Feb 2024 23:59:59 GMT",
        "Thu, 29 Feb 2024 23:59:59 +0000",
        "20240229T235959Z",
    ),
    (
        951_782_400,
        "2000-02-29T00:00:00Z",
        "Tue, 29 Feb 2000 00:00:00 GMT",
        "Tue, 29 Feb 2000 00:00:00 +0000",
        "20000229T000000Z",
    ),
    (
        4_107_542_400,
        "2100-03-01T00:00:00Z",
        "Mon, 01 Mar 2100 00:00:00 GMT",
        "Mon, 01 Mar 2100 00:00:00 +0000",
        "21000301T000000Z",
    ),
    // Beyond 32 bits, and before 1970.
    (
        2_147_483_648,
        "2038-01-19T03:14:08Z",
        "Tue, 19 Jan 2038 03:14:08 GMT",
        "Tue, 19 Jan 2038 03:14:08 +0000",
        "20380119T031408Z",
    ),
    (
        -1,
        "1969-12-31T23:59:59Z",
        "Wed, 31 Dec 1969 23:59:59 GMT",
        "Wed, 31 Dec 1969 23:59:59 +0000",
        "19691231T235959Z",
    ),
    (
        -2_208_988_801,
        "1899-12-31T23:59:59Z",
        "Sun, 31 Dec 1899 23:59:59 GMT",
        "Sun, 31 Dec 1899 23:59:59 +0000",
        "18991231T235959Z",
    ),
];

#[test]
fn every_form_goes_round() {
    for (secs, rfc3339, rfc1123, rfc2822, compact) in INSTANTS {
        let epoch = Epoch::from_secs(secs);
        let forms: [(String, &str, Parse); 4] = [
            (epoch.to_rfc3339(), rfc3339, Epoch::parse_rfc3339),
            (epoch.to_rfc1123(), rfc1123, Epoch::parse_rfc1123),
            (epoch.to_rfc2822(), rfc2822, Epoch::parse_rfc2822),
            (epoch.to_compact(), compact, Epoch::parse_compact),
        ];
        for (printed, expected, parse) in forms {
            assert_eq!(printed, expected, "{secs} s since 1970");
            assert_eq!(parse(expected).unwrap(), epoch, "{expected}");
        }
        assert_eq!(epoch.date_stamp(), &compact[..8]);
        assert_eq!(epoch.to_string(), rfc3339);
    }
}

#[test]
fn milliseconds_show_in_rfc_3339_alone() {
    for (millis, expected) in [
        (1_369_353_600_001, "2013-05-24T00:00:00.001Z"),
        (1_369_353_600_500, "2013-05-24T00:00:00.500Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
    ] {
        let epoch = Epoch::from_millis(millis);
        assert_eq!(epoch.to_rfc3339(), expected);
        assert_eq!(Epoch::parse_rfc3339(expected).unwrap(), epoch);
    }
    assert_eq!(Epoch::from_millis(-1).to_rfc1123(), "Wed, 31 Dec 1969 23:59:59 GMT");
    assert_eq!(Epoch::from_millis(999).to_compact(), "19700101T000000Z");
}

#[test]
fn offsets_become_utc_and_fractions_are_cut_towards_the_past() {
    let cases: [(Parse, &str, i64); 14] = [
        (Epoch::parse_rfc2822, "Tue, 27 Mar 2007 21:36:42 +0200", 1_175_024_202_000),
        (Epoch::parse_rfc2822, "Tue, 27 Mar 2007 12:36:42 -0700", 1_175_024_202_000),
        (Epoch::parse_rfc2822, "Wed, 28 Mar 2007 01:06:42 +0530", 1_175_024_202_000),
        (Epoch::parse_rfc3339, "2007-03-27T21:36:42+02:00", 1_175_024_202_000),
        (Epoch::parse_rfc3339, "2007-03-27T12:06:42.25-07:30", 1_175_024_202_250),
        (Epoch::parse_rfc3339, "2007-03-27t19:36:42z", 1_175_024_202_000),
        (Epoch::parse_rfc3339, "1970-01-01T00:00:00.1Z", 100),
        (Epoch::parse_rfc3339, "1970-01-01T00:00:00.0019Z", 1),
        (Epoch::parse_rfc3339, "1970-01-01T00:00:00.123456789Z", 123),
        (Epoch::parse_rfc3339, "1969-12-31T23:59:59.9999Z", -1),
        (Epoch::parse_rfc3339, "1969-12-31T23:59:59.0001Z", -1000),
        // A leap second is second 59 over again.
        (Epoch::parse_rfc3339, "1970-01-01T00:00:60.25Z", 59_250),
        (Epoch::parse_rfc2822, "Thu, 01 Jan 1970 00:00:60 +0000", 59_000),
        (Epoch::parse_compact, "19700101T000060Z", 59_000),
    ];
    for (parse, text, millis) in cases {
        assert_eq!(parse(text).unwrap().millis(), millis, "{text}");
    }
}

/// Checks texts that miss a form by one detail; the error names the expected form.
#[test]
fn what_is_not_exactly_the_form_is_refused() {
    let rfc3339: &[&str] = &[
        "",
        "2013-05-24",
        "13-05-24T00:00:00Z",
        "2013-5-24T00:00:00Z",
        "2013-05-24T00:00Z",
        "2013-05-24T00:00:00",
        "2013-05-24 00:00:00Z",
        "2013-05-24T00:00:00.Z",
        "2013-05-24T00:00:00,5Z",
        "2013-05-24T00:00:00.1234567890Z",
        "2013-05-24T00:00:00+0200",
        "2013-05-24T00:00:00Z[UTC]",
        " 2013-05-24T00:00:00Z",
        "2013-05-24T00:00:00Z\n",
        "20130524T000000Z",
        "+002013-05-24T00:00:00Z",
        "2013-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "2013-13-01T00:00:00Z",
        "2013-00-01T00:00:00Z",
        "2013-04-31T00:00:00Z",
        "2013-05-24T24:00:00Z",
        "2013-05-24T00:60:00Z",
        "2013-05-24T00:00:61Z",
        "2013-05-24T00:00:00+24:00",
        "2013-05-24T00:00:00+99:99",
        "0000-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59Z",
        "2013-05-24T00:00:0\u{663}Z",
    ];
    let rfc1123: &[&str] = &[
        "Tue, 27 Mar 2007 19:36:42 +0000",
        "Tue, 27 Mar 07 19:36:42 GMT",
        "Tue, 7 Mar 2007 19:36:42 GMT",
        "27 Mar 2007 19:36:42 GMT",
        "Tue, 27 Mar 2007 19:36 GMT",
        "Tue, 27 Mar 2007 19:36:42 UTC",
        "Tue, 27 Mar 2007 19:36:42 EST",
        "Tue, 27-Mar-2007 19:36:42 GMT",
        "Wed, 27 Mar 2007 19:36:42 GMT",
        "Xyz, 27 Mar 2007 19:36:42 GMT",
        "Tue, 27 Mrz 2007 19:36:42 GMT",
        "Thu, 29 Feb 2007 19:36:42 GMT",
        "Tue, 27 Mar 2007 25:36:42 GMT",
        "Tuesday, 27-Mar-07 19:36:42 GMT",
        "Tue Mar 27 19:36:42 2007",
    ];
    let rfc2822: &[&str] = &[
        "Tue, 27 Mar 2007 19:36:42 GMT",
        "Tue, 27 Mar 2007 19:36:42",
        "Tue, 27 Mar 07 19:36:42 +0000",
        "Tue, 27 Mar 2007 19:36:42 +00:00",
        "Tue, 27 Mar 2007 19:36:42 +000",
        "Tue, 27 Mar 2007 19:36:42 +2400",
        "Tue, 27 Mar 2007 19:36:42 +9999",
        "Mon, 27 Mar 2007 19:36:42 +0000",
        "Tue, 27 Mar 2007 19:36:42 +0000 (UTC)",
    ];
    let compact: &[&str] = &[
        "20130524",
        "20130524T000000",
        "20130524T0000Z",
        "130524T000000Z",
        "2013-05-24T00:00:00Z",
        "20130524t000000z",
        "20130524T000000.5Z",
        "20130230T000000Z",
        "20130524T250000Z",
        "20130524T000061Z",
    ];
    let forms: [(Parse, &[&str], &str); 4] = [
        (Epoch::parse_rfc3339, rfc3339, "RFC 3339 time such as 2013-05-24T00:00:00Z"),
        (Epoch::parse_rfc1123, rfc1123, "such as Tue, 27 Mar 2007 19:36:42 GMT"),
        (Epoch::parse_rfc2822, rfc2822, "such as Tue, 27 Mar 2007 19:36:42 +0000"),
        (Epoch::parse_compact, compact, "such as 20130524T000000Z"),
    ];
    for (parse, texts, expected) in forms {
        for text in texts {
            let error = match parse(text) {
                Ok(epoch) => panic!("{text:?} was taken as {epoch}"),
                Err(error) => error,
            };
            assert_eq!(error.kind(), Kind::Invalid, "{text:?}");
            assert!(error.to_string().contains(&format!("{text:?}")), "{error} lacks {text:?}");
            assert!(error.to_string().contains(expected), "{error} lacks {expected:?}");
        }
    }
}

#[test]
fn an_error_shows_a_long_or_hostile_input_short_and_escaped() {
    let error = Epoch::parse_rfc3339(&"\u{1b}[31m".repeat(100_000)).unwrap_err().to_string();
    assert!(error.len() < 300 && !error.contains('\u{1b}'), "{error}");
}
