//! Turns a failure of the bucket into what visitors see.

use axum::http::StatusCode;
use ferror::{Error, Kind};

/// A failure of the bucket as visitors see it: its kind and S3's code, and no details, which are in the
/// log.
pub(crate) struct Failure {
    pub(crate) status: StatusCode,
    pub(crate) kind: Kind,
    pub(crate) code: Option<String>,
}

impl Failure {
    pub(crate) fn of(error: &Error) -> Self {
        // To the visitor, this service is a gateway: a bucket that denies or lacks something is not
        // the visitor's doing, so its 403 or 404 must not be passed on as ours.
        let kind = error.kind();
        let seen_from_outside = match kind {
            Kind::Bug => Kind::Bug,
            kind if kind.is_retryable() => Kind::Unavailable,
            _ => Kind::Refused,
        };
        let status = StatusCode::from_u16(seen_from_outside.http_status());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, kind, code: s3_code(error) }
    }
}

fn s3_code(error: &Error) -> Option<String> {
    s3::Fault::of(error).map(|fault| fault.code.clone()).filter(|code| !code.is_empty())
}

#[cfg(test)]
mod tests {
    use ferror::{Error, Kind};

    use super::Failure;

    #[test]
    fn a_failing_bucket_is_never_blamed_on_the_visitor() {
        let check = |kind: Kind, status: u16| {
            let failure = Failure::of(&Error::new(kind, "GET builds: secret detail"));
            assert_eq!((failure.status.as_u16(), failure.kind), (status, kind));
        };
        for kind in Kind::ALL {
            match kind {
                Kind::Bug => check(kind, 500),
                Kind::Unavailable | Kind::Throttled => check(kind, 503),
                _ => check(kind, 502),
            }
        }
    }

    #[test]
    fn the_s3_code_is_found_behind_contexts() {
        let fault = s3::Fault {
            status: 403,
            code: "AccessDenied".to_owned(),
            message: "hidden".to_owned(),
            request_id: "hidden".to_owned(),
            ..s3::Fault::default()
        };
        let error = Error::new(Kind::Denied, "LIST").caused_by(fault).context("listing");
        assert_eq!(Failure::of(&error).code.as_deref(), Some("AccessDenied"));
        assert_eq!(Failure::of(&Error::new(Kind::Denied, "LIST")).code, None);
    }
}
