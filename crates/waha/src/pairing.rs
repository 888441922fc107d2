//! Pairing a session with a phone: QR codes and pairing codes.

use bytes::Bytes;
use data_encoding::BASE64;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::WahaClient;
use crate::client::Call;
use crate::error::WahaError;
use crate::timeouts::CallKind;

/// The first bytes of every PNG file.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

#[derive(Deserialize)]
struct WireQrImage {
    data: String,
}

#[derive(Deserialize)]
struct WireQrValue {
    value: SecretString,
}

#[derive(Deserialize)]
struct WireCode {
    code: SecretString,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestCode<'a> {
    phone_number: &'a str,
}

impl WahaClient {
    /// The QR code as a PNG picture. Whoever scans it owns the session. `WrongState` unless the session waits
    /// to be paired, after WAHA has waited up to 10 s for that.
    pub async fn qr_image(&self, session: &str) -> Result<Bytes, WahaError> {
        let call = Call::get(CallKind::Pairing, &["api", session, "auth", "qr"]).accept("image/png");
        let answer = self.answer(call).await?;
        let image = if answer.media_type == "application/json" {
            let image: WireQrImage = answer.decode()?;
            BASE64
                .decode(image.data.as_bytes())
                .map_err(|_| answer.broken("its picture is not base64"))?
        } else {
            answer.body.clone()
        };
        if image.starts_with(PNG) {
            Ok(image.into())
        } else {
            Err(answer.broken("it is not a PNG picture"))
        }
    }

    /// The QR code's content, to be drawn by the caller. Whoever draws it owns the session. `WrongState` as
    /// in [`qr_image`](Self::qr_image).
    pub async fn qr_value(&self, session: &str) -> Result<SecretString, WahaError> {
        let call = Call::get(CallKind::Pairing, &["api", session, "auth", "qr"]).query("format", "raw");
        let qr: WireQrValue = self.json(call).await?;
        Ok(qr.value)
    }

    /// A code such as `ABCD-EFGH` that the person types into the phone with this number (digits with the
    /// country code). WAHA 2026.2.1 does not answer while the session is starting, which ends in
    /// `OutcomeUnknown`.
    pub async fn request_pairing_code(
        &self,
        session: &str,
        phone_number: &str,
    ) -> Result<SecretString, WahaError> {
        let call = Call::post(CallKind::Pairing, &["api", session, "auth", "request-code"])
            .body(&RequestCode { phone_number })?;
        let code: WireCode = self.json(call).await?;
        Ok(code.code)
    }
}
