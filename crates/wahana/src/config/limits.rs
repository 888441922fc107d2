//! How much a caller may ask of wahana at once.

use std::time::Duration;

use wahana_api::UploadLimits;
use wahana_service::organization_events::StreamLimits;

use super::reader::Reader;

/// How much a caller may ask of wahana at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The largest body of a request without an upload, in bytes.
    pub(crate) body_bytes: usize,
    /// The largest event that a WAHA server may send, in bytes.
    pub(crate) event_bytes: usize,
    /// The largest medium that may be uploaded or fetched, in bytes.
    pub(crate) media_bytes: usize,
    /// How bodies that bring a file are taken in.
    pub(crate) uploads: UploadLimits,
    /// The largest head of a request, in bytes.
    pub(crate) header_bytes: usize,
    /// How long a client may take to send a request's head.
    pub(crate) header_timeout: Duration,
    /// How long a client may take nothing of an answer.
    pub(crate) write_timeout: Duration,
    /// How many streams of events may be open.
    pub(crate) event_streams: StreamLimits,
    /// How long running requests may take to end when wahana is told to stop.
    pub(crate) shutdown_timeout: Duration,
}

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
/// More connections than a process can have.
const MOST_STREAMS: u64 = 1_000_000;

pub(super) fn read(reader: &mut Reader<'_>) -> Limits {
    let mut bytes = |name, default, least, most| {
        usize::try_from(reader.number(name, default, least, most)).unwrap_or(usize::MAX)
    };
    let body_bytes = bytes("limits.body_bytes", MIB, KIB, 64 * MIB);
    let event_bytes = bytes("limits.event_bytes", MIB, KIB, 64 * MIB);
    let media_bytes = bytes("limits.media_bytes", 32 * MIB, KIB, 1024 * MIB);
    let upload_memory = bytes("limits.upload_memory_bytes", 256 * MIB, MIB, MIB * MIB);
    // hyper's reading buffer cannot be smaller than 8 KiB.
    let header_bytes = bytes("limits.header_bytes", 32 * KIB, 8 * KIB, MIB);
    let streams = StreamLimits::default();
    let mut number = |name, default: u32| {
        u32::try_from(reader.number(name, default.into(), 1, MOST_STREAMS)).unwrap_or(default)
    };
    let event_streams = StreamLimits {
        of_organization: number("limits.organization_event_streams", streams.of_organization),
        of_process: number("limits.event_streams", streams.of_process),
    };
    let mut seconds = |name, default, most| Duration::from_secs(reader.number(name, default, 1, most));
    Limits {
        body_bytes,
        event_bytes,
        media_bytes,
        uploads: UploadLimits {
            memory: upload_memory,
            whole: seconds("limits.upload_seconds", 300, 86_400),
            ..UploadLimits::default()
        },
        header_bytes,
        event_streams,
        header_timeout: seconds("limits.header_seconds", 10, 300),
        write_timeout: seconds("limits.write_seconds", 30, 3600),
        shutdown_timeout: seconds("limits.shutdown_seconds", 30, 3600),
    }
}

impl Limits {
    pub(super) fn shown(&self) -> Vec<(&'static str, String)> {
        vec![
            ("limits.body_bytes", self.body_bytes.to_string()),
            ("limits.event_bytes", self.event_bytes.to_string()),
            ("limits.media_bytes", self.media_bytes.to_string()),
            ("limits.upload_memory_bytes", self.uploads.memory.to_string()),
            ("limits.upload_seconds", self.uploads.whole.as_secs().to_string()),
            ("limits.header_bytes", self.header_bytes.to_string()),
            ("limits.header_seconds", self.header_timeout.as_secs().to_string()),
            ("limits.write_seconds", self.write_timeout.as_secs().to_string()),
            ("limits.event_streams", self.event_streams.of_process.to_string()),
            (
                "limits.organization_event_streams",
                self.event_streams.of_organization.to_string(),
            ),
            (
                "limits.shutdown_seconds",
                self.shutdown_timeout.as_secs().to_string(),
            ),
        ]
    }
}
