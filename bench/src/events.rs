//! Events as WAHA sends them.

use wahana_domain::{Clock, SystemClock};

/// How many milliseconds have passed since 1970.
#[must_use]
pub fn milliseconds() -> i64 {
    SystemClock.now().as_micros() / 1000
}

/// An incoming text of a session, in the shape that WAHA 2026.2.1 sends, with an id of its own.
#[must_use]
pub fn message(id: &str, session: &str) -> String {
    let now = milliseconds();
    let seconds = now / 1000;
    format!(
        r#"{{"id":"evt_{id}","timestamp":{now},"event":"message","session":"{session}","metadata":{{}},"me":null,"payload":{{"id":"false_15550001111@c.us_{id}","timestamp":{seconds},"from":"15550001111@c.us","fromMe":false,"source":"app","body":"Is the shop open on Sunday, too?","hasMedia":false,"media":null,"ack":1,"ackName":"SERVER","location":null,"vCards":null,"replyTo":null,"_data":{{"key":{{"remoteJid":"15550001111@s.whatsapp.net","fromMe":false,"id":"{id}"}},"message":{{"extendedTextMessage":{{"text":"Is the shop open on Sunday, too?"}}}},"messageTimestamp":"{seconds}","status":"SERVER_ACK"}}}},"engine":"NOWEB","environment":{{"version":"2026.2.1","engine":"NOWEB","tier":"CORE","browser":null,"platform":"linux/x64","worker":{{"id":null}}}}}}"#
    )
}

/// A session's new status, in the shape that WAHA 2026.2.1 sends, with an id of its own.
#[must_use]
pub fn status(id: &str, session: &str, status: &str) -> String {
    let now = milliseconds();
    format!(
        r#"{{"id":"evt_{id}","timestamp":{now},"event":"session.status","session":"{session}","metadata":{{}},"me":null,"payload":{{"name":"{session}","status":"{status}","statuses":[{{"status":"{status}","timestamp":{now}}}]}},"engine":"NOWEB","environment":{{"version":"2026.2.1","engine":"NOWEB","tier":"CORE","browser":null,"platform":"linux/x64","worker":{{"id":null}}}}}}"#
    )
}
