//! A Hugging Face Hub in miniature, on this machine: the two requests that fetching a model makes, with
//! large files behind a redirect, tokens, and transfers that break off.

use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What a hub does beside serving `files`.
#[derive(Default)]
pub struct Manner {
    /// Files of a repository that are sent only to who brings this token.
    pub token: Option<&'static str>,
    /// File whose transfers stop after so many bytes, and how many of them do.
    pub breaks: Option<(&'static str, usize, usize)>,
    /// File that is sent with another last byte.
    pub alters: Option<&'static str>,
}

/// A revision's name, its commit, and the commit's files with their content.
pub type Revision<'a> = (&'a str, String, &'a [(&'a str, &'a [u8])]);

/// Files of `org/name` by commit.
type Commits = BTreeMap<String, BTreeMap<String, Vec<u8>>>;

struct State {
    revisions: BTreeMap<String, String>,
    commits: Commits,
    manner: Mutex<Manner>,
    asked: Mutex<Vec<String>>,
}

/// A running hub with one repository, `org/name`; it ends with the process.
pub struct FakeHub {
    pub endpoint: String,
    state: Arc<State>,
}

/// A commit's name.
pub fn commit(digit: char) -> String {
    digit.to_string().repeat(40)
}

impl FakeHub {
    /// Serves these revisions of `org/name`.
    pub fn start(revisions: &[Revision], manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("bound"));
        let mut state = State {
            revisions: BTreeMap::new(),
            commits: BTreeMap::new(),
            manner: Mutex::new(manner),
            asked: Mutex::new(Vec::new()),
        };
        for (name, commit, files) in revisions {
            state.revisions.insert((*name).to_owned(), commit.clone());
            state.revisions.insert(commit.clone(), commit.clone());
            let files = files.iter().map(|(path, content)| ((*path).to_owned(), content.to_vec()));
            state.commits.insert(commit.clone(), files.collect());
        }
        let state = Arc::new(state);
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().filter_map(Result::ok) {
                let state = Arc::clone(&shared);
                // A client that goes away is no failure of the hub.
                thread::spawn(move || state.answer(stream));
            }
        });
        Self { endpoint, state }
    }

    /// Targets of the requests so far, and forgets them.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.state.asked.lock().expect("no thread panicked"))
    }

    /// Changes what the hub does.
    pub fn behave(&self, manner: Manner) {
        *self.state.manner.lock().expect("no thread panicked") = manner;
    }
}

/// What is read of a request.
struct Request {
    target: String,
    range_start: Option<usize>,
    range_end: Option<usize>,
    token: Option<String>,
}

impl Request {
    fn read(stream: &TcpStream) -> Option<Self> {
        let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
        let target = lines.next()?.split(' ').nth(1)?.to_owned();
        let mut request = Self { target, range_start: None, range_end: None, token: None };
        for line in lines.take_while(|line| !line.is_empty()) {
            let (name, value) = line.split_once(": ")?;
            match name.to_lowercase().as_str() {
                "range" => {
                    let (start, end) = value.strip_prefix("bytes=")?.split_once('-')?;
                    (request.range_start, request.range_end) = (start.parse().ok(), end.parse().ok());
                }
                "authorization" => request.token = value.strip_prefix("Bearer ").map(str::to_owned),
                _ => {}
            }
        }
        Some(request)
    }
}

impl State {
    fn answer(&self, mut stream: TcpStream) -> Option<()> {
        let request = Request::read(&stream)?;
        self.asked.lock().ok()?.push(request.target.clone());
        let path = request.target.split('?').next()?.trim_start_matches('/');
        if let Some(revision) = path.strip_prefix("api/models/org/name/revision/") {
            return match self.revisions.get(&revision.replace("%2F", "/")) {
                Some(commit) => send(&mut stream, "200 OK", "", self.listing(commit).as_bytes()),
                None => send(&mut stream, "404 Not Found", "", b""),
            };
        }
        let content = path.strip_prefix("org/name/resolve/").or_else(|| path.strip_prefix("cdn/"));
        let found = content.and_then(|rest| rest.split_once('/'));
        let file =
            found.and_then(|(commit, file)| Some((commit, file, self.commits.get(commit)?.get(file)?)));
        let Some((commit, file, content)) = file else {
            // The hub hides from strangers what there is not.
            let status = if request.token.is_some() { "404 Not Found" } else { "401 Unauthorized" };
            return send(&mut stream, status, "", b"");
        };
        let needed = self.manner.lock().ok()?.token;
        if needed.is_some_and(|token| request.token.as_deref() != Some(token)) {
            let status = if request.token.is_some() { "403 Forbidden" } else { "401 Unauthorized" };
            return send(&mut stream, status, "", b"");
        }
        let headers = format!("x-repo-commit: {commit}\r\netag: \"{}\"\r\n", etag(file, content));
        if is_large(file) && !path.starts_with("cdn/") {
            let linked = format!(
                "{headers}x-linked-etag: \"{}\"\r\nlocation: /cdn/{commit}/{file}\r\n",
                etag(file, content)
            );
            return send(&mut stream, "302 Found", &linked, b"");
        }
        self.send_range(&mut stream, &request, (file, content), headers)
    }

    fn send_range(
        &self,
        stream: &mut TcpStream,
        request: &Request,
        (file, content): (&str, &[u8]),
        headers: String,
    ) -> Option<()> {
        let n = content.len();
        let start = request.range_start.unwrap_or(0);
        if start >= n {
            return send(stream, "416 Range Not Satisfiable", &headers, b"");
        }
        let end = request.range_end.map_or(n, |last| (last + 1).min(n));
        let headers = format!("{headers}content-range: bytes {start}-{}/{n}\r\n", end - 1);
        let mut part = content[start..end].to_vec();
        let mut manner = self.manner.lock().ok()?;
        if manner.alters == Some(file) && end == n {
            *part.last_mut()? ^= 1;
        }
        match &mut manner.breaks {
            Some((breaking, n_sent, n_times))
                if *breaking == file && part.len() > *n_sent && *n_times > 0 =>
            {
                *n_times -= 1;
                let head = format!(
                    "HTTP/1.1 206 Partial Content\r\n{headers}content-length: {}\r\n\r\n",
                    part.len()
                );
                stream.write_all(head.as_bytes()).ok()?;
                stream.write_all(&part[..*n_sent]).ok()
            }
            _ => send(stream, "206 Partial Content", &headers, &part),
        }
    }

    fn listing(&self, commit: &str) -> String {
        let files = self.commits[commit].iter().map(|(path, content)| {
            let mut file = json!({"rfilename": path, "size": content.len(), "blobId": etag(path, content)});
            if is_large(path) {
                file["lfs"] =
                    json!({"sha256": etag(path, content), "size": content.len(), "pointerSize": 130});
            }
            file
        });
        json!({"id": "org/name", "sha": commit, "siblings": files.collect::<Vec<_>>()}).to_string()
    }
}

fn is_large(file: &str) -> bool {
    file.ends_with(".safetensors") || file.ends_with(".gguf")
}

/// SHA-256 of a large file; git's name of a small one is shorter.
fn etag(file: &str, content: &[u8]) -> String {
    let mut hex: String = Sha256::digest(content).iter().map(|b| format!("{b:02x}")).collect();
    if !is_large(file) {
        hex.truncate(40);
    }
    hex
}

fn send(stream: &mut TcpStream, status: &str, headers: &str, body: &[u8]) -> Option<()> {
    let head =
        format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body).ok()
}
