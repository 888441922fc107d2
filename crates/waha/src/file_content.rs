//! The bytes of a file to send, which go out while they are read: WAHA takes them as base64 within JSON.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{Bytes, BytesMut};
use data_encoding::BASE64;
use futures_util::stream::{self, BoxStream, Stream, StreamExt as _, TryStreamExt as _};
use serde::Serialize;

use crate::error::WahaError;

/// How many bytes are encoded at a time, however many come at a time: whole groups of three.
const PIECE: usize = 48 * 1024;
/// What base64 makes four characters of.
const GROUP: usize = 3;

type Cause = Box<dyn Error + Send + Sync>;

/// The bytes of a file to send. They are read while they are sent, once.
pub struct FileContent {
    size: u64,
    bytes: BoxStream<'static, Result<Bytes, Cause>>,
}

impl FileContent {
    /// Bytes that come piece by piece, `size` of them. If they break off, or are more or fewer, nothing is sent.
    pub fn streamed<E: Into<Cause> + 'static>(
        size: u64,
        bytes: impl Stream<Item = Result<Bytes, E>> + Send + 'static,
    ) -> Self {
        Self {
            size,
            bytes: bytes.map_err(Into::into).boxed(),
        }
    }

    /// Whether there are none.
    pub(crate) const fn is_empty(&self) -> bool {
        self.size == 0
    }
}

impl From<Bytes> for FileContent {
    fn from(bytes: Bytes) -> Self {
        let size = bytes.len() as u64;
        Self::streamed(size, stream::iter([Ok::<_, Cause>(bytes)]))
    }
}

impl From<Vec<u8>> for FileContent {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl fmt::Debug for FileContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileContent")
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

/// The file did not have the bytes that it was said to have.
#[derive(Debug, thiserror::Error)]
#[error("the file has another size than was said")]
struct OtherSize;

/// A JSON object that ends with an object that ends with a file's bytes.
pub(crate) struct JsonWithFile {
    head: Vec<u8>,
    content: FileContent,
    has_failed: FileFailure,
}

/// Whether the file's bytes could not be read to their end. The request ended early then, and was none.
#[derive(Clone, Debug, Default)]
pub(crate) struct FileFailure(Arc<AtomicBool>);

impl FileFailure {
    pub(crate) fn is_there(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// What ends an object whose last field is an object whose last field is a text.
const TAIL: &[u8] = b"\"}}";

impl JsonWithFile {
    /// `object` is written with an empty text where the bytes will be.
    pub(crate) fn new(object: &impl Serialize, content: FileContent) -> Result<Self, WahaError> {
        let not_sendable = WahaError::NotSendable {
            what: "the request cannot be expressed in JSON",
        };
        let Ok(mut head) = serde_json::to_vec(object) else {
            return Err(not_sendable);
        };
        if !head.ends_with(TAIL) {
            return Err(not_sendable);
        }
        head.truncate(head.len() - TAIL.len());
        Ok(Self {
            head,
            content,
            has_failed: FileFailure::default(),
        })
    }

    /// How many bytes the whole has.
    pub(crate) fn length(&self) -> u64 {
        let encoded = self.content.size.div_ceil(GROUP as u64).saturating_mul(4);
        encoded.saturating_add((self.head.len() + TAIL.len()) as u64)
    }

    /// To be asked once the request has failed.
    pub(crate) fn failure(&self) -> FileFailure {
        self.has_failed.clone()
    }

    /// The whole, piece by piece.
    pub(crate) fn into_stream(self) -> impl Stream<Item = Result<Bytes, Cause>> + Send + 'static {
        let Self {
            head,
            content,
            has_failed,
        } = self;
        let encoded = encode(content).inspect_err(move |_| has_failed.0.store(true, Ordering::Release));
        stream::once(async { Ok(Bytes::from(head)) })
            .chain(encoded)
            // What cannot be read to its end must not look whole.
            .chain(stream::once(async { Ok(Bytes::from_static(TAIL)) }))
    }
}

/// Where the encoding stands.
struct Encoding {
    bytes: BoxStream<'static, Result<Bytes, Cause>>,
    /// What came and is not encoded yet.
    rest: Bytes,
    /// How many bytes are still to come.
    left: u64,
}

/// A file's bytes in base64.
fn encode(content: FileContent) -> impl Stream<Item = Result<Bytes, Cause>> + Send + 'static {
    let start = Encoding {
        bytes: content.bytes,
        rest: Bytes::new(),
        left: content.size,
    };
    stream::try_unfold(start, |mut encoding| async move {
        let Some(piece) = encoding.next_piece().await? else {
            return Ok(None);
        };
        Ok(Some((Bytes::from(BASE64.encode(&piece)), encoding)))
    })
}

impl Encoding {
    /// The next bytes to be encoded: whole groups, but for the last.
    async fn next_piece(&mut self) -> Result<Option<Bytes>, Cause> {
        while self.rest.len() < GROUP {
            let Some(piece) = self.bytes.try_next().await? else {
                return match self.left {
                    0 if self.rest.is_empty() => Ok(None),
                    0 => Ok(Some(std::mem::take(&mut self.rest))),
                    _ => Err(OtherSize.into()),
                };
            };
            self.left = self.left.checked_sub(piece.len() as u64).ok_or(OtherSize)?;
            self.rest = joined(&self.rest, piece);
        }
        let length = (self.rest.len() - self.rest.len() % GROUP).min(PIECE);
        Ok(Some(self.rest.split_to(length)))
    }
}

/// A few bytes and those that follow them.
fn joined(rest: &Bytes, piece: Bytes) -> Bytes {
    if rest.is_empty() {
        return piece;
    }
    let mut both = BytesMut::with_capacity(rest.len() + piece.len());
    both.extend_from_slice(rest);
    both.extend_from_slice(&piece);
    both.freeze()
}
