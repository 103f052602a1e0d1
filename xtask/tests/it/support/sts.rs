//! A server that gives credentials for the token of a web identity, and keeps the requests.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::support::front::head;

/// A role that a web identity may take.
pub(crate) const ROLE: &str = "arn:aws:iam::123456789012:role/ci";

/// Credentials as they are given out.
pub(crate) struct Pair<'a> {
    pub(crate) id: &'a str,
    pub(crate) secret: &'a str,
    pub(crate) session_token: &'a str,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// Its first line and headers.
    pub(crate) head: String,
    /// Names and values of the form in its body, decoded.
    pub(crate) form: Vec<(String, String)>,
}

/// A running server. It ends with the process.
pub(crate) struct Sts {
    pub(crate) endpoint: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Sts {
    /// Starts a server that gives these credentials for every request.
    pub(crate) fn giving(pair: &Pair<'_>) -> Self {
        let Pair { id, secret, session_token } = pair;
        let xml = format!(
            "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>\
             <AccessKeyId>{id}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>\
             <SessionToken>{session_token}</SessionToken><Expiration>2199-01-01T00:00:00Z</Expiration>\
             </Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
        );
        Self::answering("200 OK", &xml)
    }

    /// Starts a server that refuses every request with this code and message.
    pub(crate) fn refusing(code: &str, message: &str) -> Self {
        let error = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
        Self::answering("403 Forbidden", &format!("<ErrorResponse>{error}</ErrorResponse>"))
    }

    fn answering(status: &str, xml: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let shared = Arc::clone(&asked);
        let length = xml.len();
        let answer = format!(
            "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{xml}"
        );
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                serve(client, &asked, &answer);
            }
        });
        Self { endpoint, asked: shared }
    }

    /// Returns the requests so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

impl Asked {
    /// Returns the value of a field of the form; panics if there is none.
    #[track_caller]
    pub(crate) fn field(&self, name: &str) -> &str {
        let found = self.form.iter().find(|(known, _)| known == name);
        found.map_or_else(|| panic!("no {name} in {:?}", self.form), |(_, value)| value)
    }
}

fn serve(mut client: TcpStream, asked: &Mutex<Vec<Asked>>, answer: &str) -> Option<()> {
    client.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    let head = head(&mut client)?;
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    let mut lengths = lines.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length = lengths.next().map_or(0, |(_, value)| value.trim().parse().unwrap());
    let mut body = vec![0; length];
    client.read_exact(&mut body).ok()?;
    let body = String::from_utf8(body).unwrap();
    let fields = body.split('&').map(|field| field.split_once('=').unwrap_or((field, "")));
    let form = fields.map(|(name, value)| (decoded(name), decoded(value))).collect();
    asked.lock().unwrap().push(Asked { head, form });
    client.write_all(answer.as_bytes()).ok()
}

fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).unwrap()
}
