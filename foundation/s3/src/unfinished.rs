//! Lists and aborts multipart uploads that were not completed.

use std::collections::BTreeMap;
use std::path::Path;

use ferror::{Error, ResultExt as _};

use crate::client::MAX_PAGE_BYTES;
use crate::exchange::Operation;
use crate::journal::Journal;
use crate::xml::{ListedPart, parts_page, uploads_page};
use crate::{Client, Request};

/// The most pages of uploads that are read for one object.
const MAX_UPLOAD_PAGES: usize = 10;

impl Client {
    /// Aborts the unfinished multipart uploads of exactly this object key, and returns how many there
    /// were: those that the server lists, and the one that a journal in `journals` is of
    /// ([`Client::put_resumable`]), whose journal is removed.
    ///
    /// For an object that is there for good: an upload that may only create it, or only replace what
    /// it replaced, can never become anything, and its parts would be stored and paid for. Another
    /// process that is still sending such an upload finds it gone, and then the object.
    pub fn abort_uploads(
        &self,
        object_key: &str,
        journals: Option<&Path>,
    ) -> ferror::Result<usize> {
        let mut ended = 0;
        if let Some(folder) = journals {
            let (journal, record) = Journal::open(folder, &self.destination(), object_key, false);
            // Where its owner still writes it, there is no record to be had.
            if let Some(record) = record {
                self.abort_upload(object_key, &record.upload_id)?;
                ended += 1;
            }
            journal.remove();
        }
        for id in self.uploads_of(object_key)? {
            self.abort_upload(object_key, &id)?;
            ended += 1;
        }
        Ok(ended)
    }

    /// Returns endpoint and bucket as configured, which identify a journal's destination.
    pub(crate) fn destination(&self) -> String {
        let location = self.location();
        let endpoint = location.endpoint.as_deref().unwrap_or("aws");
        format!("{}/{}", endpoint.trim_end_matches('/'), location.bucket)
    }

    /// Aborts an upload; aborting one that does not exist is a success.
    pub(crate) fn abort_upload(&self, object_key: &str, id: &str) -> ferror::Result<()> {
        let mut operation = self.operation("DELETE", object_key)?;
        operation.what.push_str("?uploadId");
        operation.request.push_query("uploadId", id);
        let reply = self.exchange(&operation)?;
        match &reply.result {
            Err(fault) if fault.status == 404 => Ok(()),
            _ => reply.or_refused().map(drop),
        }
    }

    /// Lists the parts 1 to `last` that the server has of an upload, by their numbers.
    pub(crate) fn parts_of(
        &self,
        object_key: &str,
        id: &str,
        last: u64,
    ) -> ferror::Result<BTreeMap<u64, ListedPart>> {
        let mut found = BTreeMap::new();
        let mut marker = 0;
        // Each page begins after a higher number, so there are at most as many as parts.
        while marker < last {
            let mut operation = self.operation("GET", object_key)?;
            operation.what.push_str("?uploadId");
            operation.max_bytes = MAX_PAGE_BYTES;
            operation.request.push_query("uploadId", id);
            if marker > 0 {
                operation.request.push_query("part-number-marker", marker.to_string());
            }
            let page =
                parts_page(&self.page(&operation)?).with_context(|| operation.what.clone())?;
            found.extend(page.parts.into_iter().map(|part| (part.number, part)));
            match page.next_marker {
                None => break,
                Some(next) if next > marker => marker = next,
                Some(_) => {
                    let message = "the server sends the same page again and again";
                    return Err(Error::invalid(message).context(operation.what));
                }
            }
        }
        Ok(found)
    }

    /// Lists the ids of the unfinished uploads of exactly this object key.
    fn uploads_of(&self, object_key: &str) -> ferror::Result<Vec<String>> {
        let what = format!("GET {}?uploads", self.location().bucket);
        let (mut ids, mut markers) = (Vec::new(), None);
        for _ in 0..MAX_UPLOAD_PAGES {
            let mut query = vec![("prefix".to_owned(), object_key.to_owned())];
            query.push(("uploads".to_owned(), String::new()));
            if let Some((key, id)) = &markers {
                query.push(("key-marker".to_owned(), String::clone(key)));
                query.push(("upload-id-marker".to_owned(), String::clone(id)));
            }
            let request = Request { query, ..self.request("GET", "") };
            let what = what.clone();
            let operation = Operation { what, request, payload: None, max_bytes: MAX_PAGE_BYTES };
            let page =
                uploads_page(&self.page(&operation)?).with_context(|| operation.what.clone())?;
            let before = ids.len();
            let exact = page.uploads.into_iter().filter(|upload| upload.object_key == object_key);
            ids.extend(exact.map(|upload| upload.id));
            // Listed by object key, and the key itself comes before those that only begin with it.
            let has_more = ids.len() > before && page.next_markers != markers;
            markers = page.next_markers;
            if !has_more || markers.is_none() {
                break;
            }
        }
        Ok(ids)
    }

    /// Reads the whole body of a page.
    pub(crate) fn page(&self, operation: &Operation<'_>) -> ferror::Result<Vec<u8>> {
        let answer = self.exchange(operation)?.or_refused()?;
        if answer.cut {
            let message =
                format!("{}: a page is larger than {MAX_PAGE_BYTES} bytes", operation.what);
            return Err(Error::invalid(message));
        }
        Ok(answer.body)
    }
}
