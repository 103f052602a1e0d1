//! A multipart upload as a test writes it down.

use s3::Signature;

use crate::wire::{Answer, Ask, Wire};

/// The smallest part that need not be the last: 5 MiB.
pub(crate) const MIN_PART_BYTES: usize = 5 << 20;

/// An upload under way, of one object in one signature version.
pub(crate) struct Upload<'a> {
    pub(crate) wire: &'a Wire,
    pub(crate) signature: Signature,
    pub(crate) object_key: String,
    pub(crate) id: String,
}

impl<'a> Upload<'a> {
    /// Begins an upload with these headers.
    pub(crate) fn start(
        wire: &'a Wire,
        signature: Signature,
        object_key: &str,
        headers: &[(&str, &str)],
    ) -> Self {
        let create = Ask::new("POST", object_key).query("uploads", "");
        let create = headers.iter().fold(create, |ask, (name, value)| ask.header(name, value));
        let created = wire.ask(signature, &create);
        assert_eq!(created.outcome(), (200, ""), "{signature}: {}", created.text());
        let id = created.elements("UploadId")[0].to_owned();
        Self { wire, signature, object_key: object_key.to_owned(), id }
    }

    /// Returns a request with the id of this upload.
    pub(crate) fn ask(&self, method: &'static str) -> Ask {
        Ask::new(method, &self.object_key).query("uploadId", &self.id)
    }

    /// Returns the request that uploads a part.
    pub(crate) fn part(&self, number: i32, body: &[u8]) -> Ask {
        let mut ask = self.ask("PUT").query("partNumber", &number.to_string());
        ask.body = body.to_vec();
        ask
    }

    /// Sends a part; its `ETag` with the quotes.
    pub(crate) fn send_part(&self, number: i32, body: &[u8]) -> String {
        let sent = self.send(&self.part(number, body));
        assert_eq!(sent.outcome(), (200, ""), "{} part {number}", self.signature);
        sent.header("etag").unwrap().to_owned()
    }

    /// Returns the request that completes with these parts.
    pub(crate) fn complete(&self, parts: &[(i32, &str)]) -> Ask {
        let mut ask = self.ask("POST");
        let part = |(number, etag): &(i32, &str)| {
            format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>")
        };
        let parts: String = parts.iter().map(part).collect();
        ask.body = format!(
            "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{parts}\
             </CompleteMultipartUpload>"
        )
        .into_bytes();
        ask
    }

    /// Returns the numbers of the parts that the server has.
    pub(crate) fn numbers(&self) -> Vec<String> {
        let listed = self.send(&self.ask("GET"));
        assert_eq!(listed.outcome(), (200, ""), "{}: {}", self.signature, listed.text());
        listed.elements("PartNumber").iter().map(|&number| number.to_owned()).collect()
    }

    pub(crate) fn send(&self, ask: &Ask) -> Answer {
        self.wire.ask(self.signature, ask)
    }
}
