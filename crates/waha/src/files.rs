//! Files of messages, which a WAHA server keeps for a short time.

use std::fmt;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use percent_encoding::percent_decode_str;
use reqwest::header::CONTENT_TYPE;

use crate::WahaClient;
use crate::client::{self, Call};
use crate::error::WahaError;
use crate::http;
use crate::timeouts::CallKind;

/// The place of a file on its WAHA server, below `/api/files/`.
///
/// WAHA 2026.2.1 writes addresses that begin with its own idea of its address, which is often wrong or not
/// reachable; only what follows `/api/files/` is kept, so that a file is only ever fetched from the server
/// that was asked.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct FilePath(Vec<String>);

impl FilePath {
    const FILES: &'static str = "/api/files/";

    /// The path in an address, or in a part of one that begins with `/api/files/`. `None` if it is no file's
    /// of a WAHA server, such as one in S3 storage.
    #[must_use]
    pub fn from_url(url: &str) -> Option<Self> {
        let path = url.split(['?', '#']).next()?;
        let (_server, path) = path.split_once(Self::FILES)?;
        let segments: Option<Vec<String>> = path.split('/').map(decoded_segment).collect();
        segments.map(Self)
    }

    /// The path from the server's root on, percent-encoded; [`from_url`](Self::from_url) reads it back.
    #[must_use]
    pub fn to_url_path(&self) -> String {
        let encoded: Vec<String> = self
            .0
            .iter()
            .map(|segment| client::encoded(segment).to_string())
            .collect();
        format!("{}{}", Self::FILES, encoded.join("/"))
    }

    /// The session that the path names. WAHA 2026.2.1 puts it before the file; where there is only a file, none
    /// is named.
    #[must_use]
    pub fn session(&self) -> Option<&str> {
        match self.0.as_slice() {
            [session, _, ..] => Some(session),
            _ => None,
        }
    }
}

/// The path is that of a message and names its chat, so it does not show itself.
impl fmt::Debug for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FilePath").finish_non_exhaustive()
    }
}

/// One segment as it was before it was encoded. Segments that would lead elsewhere make the whole path
/// unusable.
fn decoded_segment(segment: &str) -> Option<String> {
    let decoded = percent_decode_str(segment).decode_utf8().ok()?;
    let harmless = !matches!(decoded.as_ref(), "" | "." | "..") && !decoded.contains(['/', '\\', '\0']);
    harmless.then(|| decoded.into_owned())
}

/// A file on its way.
pub struct FileDownload {
    /// Its type as the server says it.
    pub content_type: Option<String>,
    /// Its length in bytes, if the server says it.
    pub length: Option<u64>,
    /// Its bytes. After an error the stream ends, and what came before is not the whole file.
    pub bytes: BoxStream<'static, Result<Bytes, WahaError>>,
}

impl fmt::Debug for FileDownload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileDownload")
            .field("content_type", &self.content_type)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

impl WahaClient {
    /// Fetches a file of this server; `NotFound` if it is gone. The caller must have made sure that the file
    /// belongs to the session in question ([`FilePath::session`]): WAHA 2026.2.1 gives any file to any key.
    pub async fn download_file(&self, path: &FilePath) -> Result<FileDownload, WahaError> {
        let mut segments = vec!["api", "files"];
        segments.extend(path.0.iter().map(String::as_str));
        let response = self
            .open(Call::get(CallKind::File, &segments).accept("*/*"))
            .await?;
        let content_type = response
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        let length = response.content_length();
        let idle = self.limit(CallKind::File).idle;
        let bytes = stream::unfold(Some(response), move |response| async move {
            let mut response = response?;
            match http::next_chunk(&mut response, idle).await {
                Ok(Some(chunk)) => Some((Ok(chunk), Some(response))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        });
        Ok(FileDownload {
            content_type,
            length,
            bytes: bytes.boxed(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_follows_the_files_path_counts() {
        let path =
            FilePath::from_url("http://localhost:3000/api/files/main/true_1%40c.us_3EB0.jpeg?x=1").unwrap();
        assert_eq!(
            path,
            FilePath(vec!["main".to_owned(), "true_1@c.us_3EB0.jpeg".to_owned()])
        );
        assert_eq!(path.session(), Some("main"));
        assert_eq!(path.to_url_path(), "/api/files/main/true_1@c.us_3EB0.jpeg");

        let odd = FilePath::from_url("/api/files/main/50%25%20%3F.jpeg").unwrap();
        assert_eq!(odd.to_url_path(), "/api/files/main/50%25%20%3F.jpeg");

        let old = FilePath::from_url("/api/files/false_1@c.us_AAAA.oga").unwrap();
        assert_eq!(old.session(), None);
    }

    #[test]
    fn paths_that_lead_elsewhere_are_refused() {
        for url in [
            "https://bucket.s3.example/main/file.jpeg",
            "http://localhost:3000/api/sessions",
            "http://localhost:3000/api/files/",
            "/api/files/main/../other/file.jpeg",
            "/api/files/main/%2e%2e/other/file.jpeg",
            "/api/files/main/..%2fother%2ffile.jpeg",
            "/api/files/main//file.jpeg",
            "/api/files/main/a%5cb",
            "/api/files/main/%00",
            "/api/files/main/%ff",
            "",
        ] {
            assert!(FilePath::from_url(url).is_none(), "{url}");
        }
    }
}
