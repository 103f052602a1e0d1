//! The parts of an upload on their way, and what makes them an object.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use ferror::{Error, ResultExt as _};
use sha2::{Digest as _, Sha256};

use super::{Source, Upload};
use crate::exact_file::{ExactFile, check_digest};
use crate::journal::SentPart;
use crate::meter::Spent;
use crate::pool::Buffer;
use crate::put::condition;
use crate::{Put, PutOutcome, answer, digest, xml};

impl Upload<'_> {
    /// Sends what is missing and makes it the object.
    pub(super) fn carry_out(&self, put: &Put<'_>) -> ferror::Result<PutOutcome> {
        let file = ExactFile::open(self.source.path, self.source.size_bytes)?;
        let (etags, found) = self.send_parts(file)?;
        check_digest(self.source.path, &found, &self.source.sha256)?;
        self.complete(put, &etags)
    }

    /// Sends the parts that are not there; the `ETag`s of all in order, and the digest of the whole
    /// file.
    fn send_parts(&self, mut file: ExactFile) -> ferror::Result<(Vec<String>, [u8; 32])> {
        let count = usize::try_from(self.count()).expect("at most 10,000 parts");
        let etags: Vec<Mutex<Option<String>>> = (0..count).map(|_| Mutex::default()).collect();
        let (failed, first_error) = (AtomicBool::new(false), Mutex::new(None));
        let mut whole = Sha256::new();
        let read = thread::scope(|scope| {
            for (number, etag) in (1..).zip(&etags) {
                let size = usize::try_from(self.size_of(number))
                    .map_err(|_| Error::config("a part does not fit into this machine's memory"))?;
                // The pool's bound is what bounds the threads.
                let mut buffer = self.client.0.pool.take(size);
                if failed.load(Ordering::Relaxed) {
                    break;
                }
                let meter = self.client.meter();
                meter.time(Spent::Reading, || file.fill(&mut buffer))?;
                let (failed, first_error) = (&failed, &first_error);
                let buffer = std::sync::Arc::new(buffer);
                let sent = std::sync::Arc::clone(&buffer);
                scope.spawn(move || match self.send_part(number, &sent) {
                    Ok(found) => *etag.lock().expect("nobody panics with it") = Some(found),
                    Err(error) => {
                        failed.store(true, Ordering::Relaxed);
                        first_error.lock().expect("nobody panics with it").get_or_insert(error);
                    }
                });
                meter.time(Spent::Hashing, || whole.update(&**buffer));
            }
            Ok(())
        });
        if let Some(error) = first_error.into_inner().expect("nobody panics with it") {
            return Err(error);
        }
        read?;
        let etags = etags.into_iter().map(|etag| etag.into_inner().expect("nobody panics with it"));
        let etags = etags.collect::<Option<_>>().expect("every part was sent, or one failed");
        Ok((etags, whole.finalize().into()))
    }

    /// Sends one part, numbered from 1, unless these very bytes are there; its `ETag`. A part that is
    /// sent twice is stored once.
    fn send_part(&self, number: u64, buffer: &Buffer<'_>) -> ferror::Result<String> {
        let meter = self.client.meter();
        let payload =
            meter.time(Spent::Hashing, || self.client.payload(buffer, digest::sha256(buffer)));
        let sha256 = digest::hex(&payload.sha256);
        if let Some(part) = self.there.get(&number)
            && part.sha256 == sha256
        {
            let bytes = buffer.len() as u64;
            meter.resumed(bytes);
            self.resumed_bytes.fetch_add(bytes, Ordering::Relaxed);
            return Ok(part.etag.clone());
        }
        let mut ask = self.client.ask("PUT", self.object_key)?;
        ask.what = format!("{} (part {number})", ask.what);
        ask.request.push_query("partNumber", number.to_string());
        ask.request.push_query("uploadId", self.id.as_str());
        ask.payload = Some(payload);
        let answer = self.client.exchange(&ask)?.or_refused()?;
        let missing = || Error::invalid("the server confirms the part without an ETag");
        let etag = answer.header("etag").ok_or_else(missing).context(ask.what)?;
        self.journal.sent(&SentPart { number, sha256, etag: etag.clone() });
        Ok(etag)
    }

    /// Makes the parts an object.
    fn complete(&self, put: &Put<'_>, etags: &[String]) -> ferror::Result<PutOutcome> {
        let Source { size_bytes, sha256, .. } = self.source;
        let mut ask = self.client.ask("POST", self.object_key)?;
        ask.what.push_str("?uploadId");
        ask.request.push_query("uploadId", self.id.as_str());
        ask.request.push_header("content-type", "application/xml");
        condition(&mut ask.request, put.precondition);
        let list = xml::part_list(etags);
        ask.payload = Some(self.client.payload(list.as_bytes(), digest::sha256(list.as_bytes())));
        let reply = self.client.exchange(&ask)?;
        let answer = match &reply.result {
            Ok(answer) => answer,
            Err(fault) => {
                let (client, key) = (self.client, self.object_key);
                return client.unmet_or_refused(key, put, &reply, fault, size_bytes, &sha256);
            }
        };
        match xml::result_etag(&answer.body, "CompleteMultipartUploadResult") {
            Ok(etag) => Ok(PutOutcome::Stored(answer::stored(answer, etag, reply.attempts))),
            // A 200 that says nothing: only the object itself can tell.
            Err(error) => {
                let own = self.client.find_own(self.object_key, size_bytes, &sha256);
                own.map(PutOutcome::Stored).ok_or_else(|| error.context(ask.what.clone()))
            }
        }
    }
}
