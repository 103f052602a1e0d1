//! `bench-s3 signed-curl`: curl with the same work as a client that signs its payloads. openssl computes
//! each file's digest, and curl signs it and sends the file.
//!
//! Two processes however many files there are: one openssl, then one curl, which reads what to send
//! from its standard input. Time and memory of both count. Not `sha256sum`: coreutils' own uses no
//! instructions of the processor for it, and was seen to take seven times the CPU time.

use std::ffi::OsString;
use std::io::Write as _;
use std::process::{Command, Stdio};

use ferror::{Error, Result};

use crate::setup::{ACCESS_KEY_ID, BUCKET, REGION, SECRET_ACCESS_KEY};

/// Does `bench-s3 signed-curl ENDPOINT PREFIX FILE...`: sends each file with curl to the object key
/// made of `PREFIX` and the file's name, and returns curl's exit code.
pub(crate) fn put(mut arguments: impl Iterator<Item = OsString>) -> Result<u8> {
    let mut text = |what: &str| {
        let text = arguments.next().and_then(|argument| argument.into_string().ok());
        text.ok_or_else(|| Error::usage(format!("signed-curl needs {what}")))
    };
    let (endpoint, prefix) = (text("an endpoint")?, text("a prefix")?);
    let sums = Command::new("openssl").args(["dgst", "-sha256", "-r"]).args(arguments).output();
    let sums = sums.map_err(|error| Error::config("cannot run openssl").caused_by(error))?;
    if !sums.status.success() {
        let said = String::from_utf8_lossy(&sums.stderr).trim().to_owned();
        return Err(Error::config(format!("openssl failed: {said}")));
    }
    let config =
        config(&String::from_utf8_lossy(&sums.stdout), &format!("{endpoint}/{BUCKET}/{prefix}"))?;
    let cannot = |error| Error::config("cannot run curl").caused_by(error);
    let mut curl = Command::new("curl");
    let curl = curl.args(["--disable", "--parallel", "--config", "-"]).stdin(Stdio::piped());
    let mut child = curl.spawn().map_err(cannot)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(config.as_bytes()).map_err(cannot)?;
    }
    let status = child.wait().map_err(cannot)?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

/// Writes the configuration of curl from lines in the form of sha256sum, which `-r` asks for.
fn config(sums: &str, folder: &str) -> Result<String> {
    let mut transfers = Vec::new();
    for line in sums.lines() {
        // Two characters between: the second says in which mode it read.
        let parts = line.split_once(' ').map(|(digest, rest)| (digest, rest.get(1..)));
        let Some((digest, Some(file))) = parts.filter(|(digest, _)| digest.len() == 64) else {
            return Err(Error::invalid(format!("openssl says {line:?}")));
        };
        let name = file.rsplit('/').next().unwrap_or(file);
        transfers.push(format!(
            "silent\nshow-error\nfail\n\
             aws-sigv4 = \"aws:amz:{REGION}:s3\"\n\
             user = \"{ACCESS_KEY_ID}:{SECRET_ACCESS_KEY}\"\n\
             header = \"x-amz-content-sha256: {digest}\"\n\
             upload-file = \"{file}\"\n\
             url = \"{folder}/{name}\"\n"
        ));
    }
    Ok(transfers.join("next\n"))
}

#[cfg(test)]
mod tests {
    use super::config;

    #[test]
    fn each_file_is_sent_with_its_own_digest() {
        let (one, two) = ("0".repeat(64), "f".repeat(64));
        let text = config(&format!("{one}  /a/1.bin\n{two} */a/2.bin\n"), "http://h/b/p").unwrap();
        let transfers: Vec<_> = text.split("next\n").collect();
        assert_eq!(transfers.len(), 2, "{text}");
        for (transfer, digest, number) in [(transfers[0], &one, 1), (transfers[1], &two, 2)] {
            for line in [
                format!("header = \"x-amz-content-sha256: {digest}\"\n"),
                format!("upload-file = \"/a/{number}.bin\"\n"),
                format!("url = \"http://h/b/p/{number}.bin\"\n"),
            ] {
                assert!(transfer.contains(&line), "no {line} in {transfer}");
            }
        }
        assert!(config("openssl: no such file\n", "http://h/b/p").is_err());
    }
}
