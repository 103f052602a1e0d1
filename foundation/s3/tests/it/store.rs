//! A store in memory that understands just enough S3 to keep objects, and that fails on command at
//! any point of any request. Real servers do not fail on command; what they do otherwise is tested
//! with real servers.

use std::collections::BTreeMap;
use std::io::{BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use s3::{hex, sha256};

use crate::server::{RETRY_POLICY, Seen, answer, read_head, refusal};

/// What goes wrong with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Hang up before anything is read.
    Before,
    /// Hang up in the middle of the body.
    Inside,
    /// Do the work, then hang up without a word.
    Lost,
    /// Do the work, then hang up in the middle of the answer.
    HalfAnswer,
    /// Refuse with 503 `SlowDown`.
    SlowDown,
    /// Do the work, then say 500.
    FalseFailure,
    /// Do nothing and answer 200 with an error in the body.
    ErrorIn200,
    /// Do nothing and answer `InvalidPart`, as a server that is just ending the upload.
    InvalidPart,
    /// Do nothing and answer 200, with the error of an unmet condition in the body.
    UnmetIn200,
}

/// What can go wrong with any request.
pub(crate) const CUTS: [Cut; 7] = [
    Cut::Before,
    Cut::Inside,
    Cut::Lost,
    Cut::HalfAnswer,
    Cut::SlowDown,
    Cut::FalseFailure,
    Cut::ErrorIn200,
];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredObject {
    pub(crate) bytes: Vec<u8>,
    pub(crate) metadata: BTreeMap<String, String>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) objects: BTreeMap<String, StoredObject>,
    /// How often an object came into being or was replaced.
    pub(crate) writes: usize,
    /// Parts of uploads under way, by upload id.
    pub(crate) uploads: BTreeMap<String, BTreeMap<usize, Vec<u8>>>,
    metadata_of: BTreeMap<String, BTreeMap<String, String>>,
    keys_of: BTreeMap<String, String>,
    ids: usize,
    /// The CRC64NVME of each object that came with one, compared with its bytes.
    pub(crate) checksums: BTreeMap<String, String>,
    /// The CRC64NVMEs of parts, by upload id, of the uploads that began with the announcement of one.
    checksums_of: BTreeMap<String, BTreeMap<usize, String>>,
    /// What is answered in place of a list of parts or uploads.
    pub(crate) odd_list: Option<String>,
    /// The first line of every request, in order.
    pub(crate) lines: Vec<String>,
}

pub(crate) struct Store {
    pub(crate) endpoint: String,
    pub(crate) state: Arc<Mutex<State>>,
}

impl Store {
    /// Starts a store. `cut` gets the number (from 0) and first line of each request, and returns
    /// what goes wrong with it.
    pub(crate) fn start(cut: impl Fn(usize, &str) -> Option<Cut> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port of loopback");
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let state: Arc<Mutex<State>> = Arc::default();
        let (shared, cut) = (Arc::clone(&state), Arc::new(cut));
        thread::spawn(move || {
            // More than any of these tests needs; a client that never stops is stopped here.
            for stream in listener.incoming().take(2_000) {
                let (state, cut) = (Arc::clone(&shared), Arc::clone(&cut));
                // A client that hangs up is not this side's matter.
                thread::spawn(move || {
                    stream.and_then(|stream| serve(stream, &state, &*cut)).unwrap_or_default();
                });
            }
        });
        Self { endpoint, state }
    }

    pub(crate) fn object(&self, key: &str) -> Option<StoredObject> {
        self.state.lock().unwrap().objects.get(&format!("/builds/{key}")).cloned()
    }
}

fn serve(
    mut stream: TcpStream,
    state: &Mutex<State>,
    cut: &dyn Fn(usize, &str) -> Option<Cut>,
) -> std::io::Result<()> {
    stream.set_read_timeout(Some(RETRY_POLICY))?;
    stream.set_write_timeout(Some(RETRY_POLICY))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut seen = read_head(&mut reader)?;
    let number = {
        let mut state = state.lock().unwrap();
        state.lines.push(seen.line.clone());
        state.lines.len() - 1
    };
    let cut = cut(number, &seen.line);
    if cut == Some(Cut::Before) {
        return Ok(());
    }
    let length: u64 = seen.header("content-length").map_or(0, |text| text.parse().unwrap());
    if seen.header("expect").is_some() {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let read = if cut == Some(Cut::Inside) { length / 2 } else { length };
    reader.take(read).read_to_end(&mut seen.body)?;
    let text = match cut {
        Some(Cut::Inside) => return Ok(()),
        Some(Cut::SlowDown) => answer("503 Slow Down", &[], &refusal("SlowDown")),
        Some(Cut::UnmetIn200) => answer("200 OK", &[], &refusal("PreconditionFailed")),
        Some(Cut::InvalidPart) => answer("400 Bad Request", &[], &refusal("InvalidPart")),
        // The answer to a HEAD has no body that could hold one.
        Some(Cut::ErrorIn200) if !seen.line.starts_with("HEAD") => {
            answer("200 OK", &[], &refusal("InternalError"))
        }
        _ => carry_out(&seen, &mut state.lock().unwrap()),
    };
    match cut {
        Some(Cut::Lost) => Ok(()),
        Some(Cut::HalfAnswer) => stream.write_all(&text.as_bytes()[..text.len() / 2]),
        Some(Cut::FalseFailure) => stream.write_all(
            answer("500 Internal Server Error", &[], &refusal("InternalError")).as_bytes(),
        ),
        _ => stream.write_all(text.as_bytes()),
    }
}

fn carry_out(seen: &Seen, state: &mut State) -> String {
    let mut words = seen.line.split(' ');
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let parameter = |name: &str| {
        query.split('&').filter_map(|pair| pair.split_once('=')).find(|(n, _)| *n == name)
    };
    let upload = parameter("uploadId").map(|(_, id)| id.to_owned());
    let checksum = seen.header("x-amz-checksum-crc64nvme").map(str::to_owned);
    let refused = |code| answer("400 Bad Request", &[], &refusal(code));
    if method == "PUT" && checksum.as_ref().is_some_and(|it| *it != crc64nvme(&seen.body)) {
        return refused("BadDigest");
    }
    match (method, upload) {
        ("POST", None) => {
            state.ids += 1;
            let id = format!("upload-{}", state.ids);
            if seen.header("x-amz-checksum-algorithm") == Some("CRC64NVME") {
                if seen.header("x-amz-checksum-type") != Some("FULL_OBJECT") {
                    return refused("InvalidRequest");
                }
                state.checksums_of.insert(id.clone(), BTreeMap::new());
            }
            state.uploads.insert(id.clone(), BTreeMap::new());
            state.metadata_of.insert(id.clone(), metadata(seen));
            let key = path.trim_start_matches("/builds/").to_owned();
            state.keys_of.insert(id.clone(), key);
            let body = format!(
                "<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
            );
            answer("200 OK", &[], &body)
        }
        (_, Some(id)) if !state.uploads.contains_key(&id) => {
            answer("404 Not Found", &[], &refusal("NoSuchUpload"))
        }
        ("PUT", Some(id)) => {
            let number = parameter("partNumber").unwrap().1.parse().unwrap();
            match (state.checksums_of.get_mut(&id), checksum) {
                (Some(checksums), Some(checksum)) => drop(checksums.insert(number, checksum)),
                (None, None) => {}
                _ => return refused("InvalidRequest"),
            }
            state.uploads.get_mut(&id).unwrap().insert(number, seen.body.clone());
            answer("200 OK", &[&format!("etag: {}", part_etag(&seen.body))], "")
        }
        ("GET", Some(id)) => {
            let after = parameter("part-number-marker").map_or(0, |(_, it)| it.parse().unwrap());
            let page = || parts_page(&state.uploads[&id], after);
            answer("200 OK", &[], &state.odd_list.clone().unwrap_or_else(page))
        }
        ("GET", None) if parameter("uploads").is_some() => {
            let uploads = state.uploads.keys().map(|id| (&*state.keys_of[id], &**id));
            let after = parameter("upload-id-marker").map_or("", |(_, it)| it);
            let page = || uploads_page(uploads, after);
            answer("200 OK", &[], &state.odd_list.clone().unwrap_or_else(page))
        }
        ("POST", Some(id)) => complete(state, path, seen, &id),
        ("DELETE", Some(id)) => {
            state.uploads.remove(&id);
            answer("204 No Content", &[], "")
        }
        ("PUT", None) => {
            let object = StoredObject { bytes: seen.body.clone(), metadata: metadata(seen) };
            state.checksums.extend(checksum.map(|checksum| (path.to_owned(), checksum)));
            store(state, path, seen, object)
        }
        _ => match state.objects.get(path) {
            None => answer("404 Not Found", &[], if method == "HEAD" { "" } else { "<Error/>" }),
            Some(object) => {
                let mut headers: Vec<_> = object
                    .metadata
                    .iter()
                    .map(|(name, value)| format!("{name}: {value}"))
                    .collect();
                headers.push(format!("etag: \"{}\"", hex(&sha256(&object.bytes))));
                headers.push(format!("content-length: {}", object.bytes.len()));
                let headers: Vec<_> = headers.iter().map(String::as_str).collect();
                answer("200 OK", &headers, "")
            }
        },
    }
}

/// Makes the parts of an upload an object, with the checksums that were announced when it began.
fn complete(state: &mut State, path: &str, seen: &Seen, id: &str) -> String {
    let parts: Vec<_> = state.uploads[id].values().map(Vec::as_slice).collect();
    let bytes = parts.concat();
    let list = String::from_utf8(seen.body.clone()).unwrap();
    let named = list.split("<ChecksumCRC64NVME>").skip(1);
    let named = named.map(|rest| rest.split('<').next().unwrap());
    let of_parts = state.checksums_of.get(id);
    let expected = of_parts.map(|_| crc64nvme(&bytes));
    let is_of_object = seen.header("x-amz-checksum-type") == Some("FULL_OBJECT");
    if !named.eq(of_parts.into_iter().flat_map(BTreeMap::values))
        || is_of_object != of_parts.is_some()
        || seen.header("x-amz-checksum-crc64nvme") != expected.as_deref()
    {
        return answer("400 Bad Request", &[], &refusal("BadDigest"));
    }
    let metadata = state.metadata_of[id].clone();
    let stored = store(state, path, seen, StoredObject { bytes, metadata });
    if !stored.starts_with("HTTP/1.1 200") {
        return stored;
    }
    state.checksums.extend(expected.map(|checksum| (path.to_owned(), checksum)));
    state.uploads.remove(id);
    let body =
        "<CompleteMultipartUploadResult><ETag>\"whole\"</ETag></CompleteMultipartUploadResult>";
    answer("200 OK", &[], body)
}

/// Computes the CRC-64/NVME of `bytes`, byte by byte, as a header has it.
fn crc64nvme(bytes: &[u8]) -> String {
    use base64::Engine as _;
    let row =
        |byte: u64| (0..8).fold(byte, |crc, _| (crc >> 1) ^ (0x9A6C_9329_AC4B_C9B5 * (crc & 1)));
    let table: Vec<u64> = (0..256).map(row).collect();
    let mut crc = !0_u64;
    for byte in bytes {
        crc = table[usize::from(crc as u8 ^ byte)] ^ (crc >> 8);
    }
    base64::engine::general_purpose::STANDARD.encode((!crc).to_be_bytes())
}

/// Returns an opaque entity tag that depends on these bytes alone.
fn part_etag(bytes: &[u8]) -> String {
    format!("\"part-{}\"", &hex(&sha256(bytes))[..8])
}

/// Lists the parts, two a page.
fn parts_page(parts: &BTreeMap<usize, Vec<u8>>, after: usize) -> String {
    let mut rest = parts.range(after + 1..);
    let page: Vec<_> = rest.by_ref().take(2).collect();
    let next = page.last().filter(|_| rest.next().is_some()).map_or(String::new(), |(number, _)| {
        format!("<IsTruncated>true</IsTruncated><NextPartNumberMarker>{number}</NextPartNumberMarker>")
    });
    let part = |(number, bytes): &(&usize, &Vec<u8>)| {
        let (size, etag) = (bytes.len(), part_etag(bytes).replace('"', "&quot;"));
        format!(
            "<Part><PartNumber>{number}</PartNumber><Size>{size}</Size><ETag>{etag}</ETag></Part>"
        )
    };
    let parts: Vec<_> = page.iter().map(part).collect();
    format!("<ListPartsResult>{next}{}</ListPartsResult>", parts.concat())
}

/// Lists the uploads, one a page, whatever the prefix: a client looks at the keys.
fn uploads_page<'a>(uploads: impl Iterator<Item = (&'a str, &'a str)>, after: &str) -> String {
    let mut rest = uploads.skip_while(|(_, id)| *id <= after);
    let page = rest.next().map_or(String::new(), |(key, id)| {
        let next = if rest.next().is_some() {
            format!("<IsTruncated>true</IsTruncated><NextKeyMarker>{key}</NextKeyMarker><NextUploadIdMarker>{id}</NextUploadIdMarker>")
        } else {
            String::new()
        };
        format!("{next}<Upload><Key>{key}</Key><UploadId>{id}</UploadId></Upload>")
    });
    format!("<ListMultipartUploadsResult>{page}</ListMultipartUploadsResult>")
}

fn store(state: &mut State, path: &str, seen: &Seen, object: StoredObject) -> String {
    if seen.header("if-none-match") == Some("*") && state.objects.contains_key(path) {
        return answer("412 Precondition Failed", &[], &refusal("PreconditionFailed"));
    }
    let etag = format!("etag: \"{}\"", hex(&sha256(&object.bytes)));
    state.objects.insert(path.to_owned(), object);
    state.writes += 1;
    answer("200 OK", &[&etag], "")
}

fn metadata(seen: &Seen) -> BTreeMap<String, String> {
    let own = seen.headers.iter().filter(|(name, _)| name.starts_with("x-amz-meta-"));
    own.cloned().collect()
}
