//! Bodies that bring a file: JSON with base64 in it, or a form's upload.

use std::collections::HashMap;

use axum::{
    body::Body,
    extract::{
        DefaultBodyLimit, FromRequest, Multipart, Request,
        multipart::{Field, MultipartError},
    },
    http::{HeaderMap, StatusCode, header},
};
use http_body_util::Limited;
use serde::de::DeserializeOwned;
use wahana_domain::{ErrorCode, FileName, MediaType};
use wahana_service::{FieldErrors, messages::MediaFile};

use super::body::{parse, read, require_json, too_large};
use crate::{error::ApiError, state::ApiState};

/// A body that brings a file. Refused in the order of other bodies: too large (413), of another type
/// (415), not parseable (400), wrong or unknown fields (422).
pub(crate) enum MediaBody<T> {
    /// As JSON.
    Json(T),
    /// As `multipart/form-data`.
    Form(MediaForm),
}

/// A form with a file.
pub(crate) struct MediaForm {
    pub(crate) to: String,
    pub(crate) file: MediaFile,
    pub(crate) caption: Option<String>,
    pub(crate) send_at: Option<String>,
    pub(crate) expires_at: Option<String>,
}

/// What a body may hold besides the file: its other fields, and what lies between them.
const BESIDES_THE_FILE: usize = 64 * 1024;
/// The longest text of a form's field, in bytes: some more than the longest caption.
const MAX_TEXT: usize = 16 * 1024;
/// How many fields of a form are looked at.
const MAX_FIELDS: usize = 16;

impl<T: DeserializeOwned> FromRequest<ApiState> for MediaBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, ApiError> {
        let limit = state.settings().media_limit;
        if is_form(request.headers()) {
            return MediaForm::read(request, state, limit).await.map(Self::Form);
        }
        // Base64 makes four bytes of three.
        let json_limit = limit
            .div_ceil(3)
            .saturating_mul(4)
            .saturating_add(BESIDES_THE_FILE);
        let (headers, bytes) = read(request, json_limit).await?;
        require_json(&headers).map_err(|_| unsupported())?;
        parse(&bytes).map(Self::Json)
    }
}

fn unsupported() -> ApiError {
    ApiError::new(
        ErrorCode::UnsupportedMediaType,
        "The body must be application/json in UTF-8 or multipart/form-data, without a content encoding.",
    )
}

fn is_form(headers: &HeaderMap) -> bool {
    let mut content_types = headers.get_all(header::CONTENT_TYPE).iter();
    let content_type = content_types
        .next()
        .filter(|_| content_types.next().is_none())
        .and_then(|value| value.to_str().ok());
    let essence = content_type
        .and_then(|value| value.split(';').next())
        .unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("multipart/form-data")
}

impl MediaForm {
    async fn read(request: Request, state: &ApiState, limit: usize) -> Result<Self, ApiError> {
        let form = Form::open(request, state, limit).await?;
        form.read().await
    }
}

/// A form that is being read.
struct Form {
    multipart: Multipart,
    limit: usize,
    errors: FieldErrors,
    /// The texts of its other fields, by their names.
    texts: HashMap<&'static str, String>,
    file: Option<MediaFile>,
}

/// The fields of a form besides the file. Only the first is required.
const TEXTS: [&str; 4] = ["to", "caption", "send_at", "expires_at"];

impl Form {
    async fn open(request: Request, state: &ApiState, limit: usize) -> Result<Self, ApiError> {
        let whole_limit = limit.saturating_add(BESIDES_THE_FILE);
        let announced = request
            .headers()
            .get(header::CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse().ok());
        if announced.is_some_and(|length: u64| length > u64::try_from(whole_limit).unwrap_or(u64::MAX)) {
            return Err(too_large(limit));
        }
        let mut encodings = request.headers().get_all(header::CONTENT_ENCODING).iter();
        let is_encoded = encodings.any(|encoding| encoding != "identity");
        if is_encoded {
            return Err(unsupported());
        }
        let mut request = request.map(|body| Body::new(Limited::new(body, whole_limit)));
        // This route has a limit of its own.
        DefaultBodyLimit::disable().apply(&mut request);
        let multipart = Multipart::from_request(request, state).await.map_err(|_| {
            ApiError::new(
                ErrorCode::BadRequest,
                "The content type of the form names no boundary.",
            )
        })?;
        Ok(Self {
            multipart,
            limit,
            errors: FieldErrors::default(),
            texts: HashMap::new(),
            file: None,
        })
    }

    async fn read(mut self) -> Result<MediaForm, ApiError> {
        let limit = self.limit;
        let mut count = 0;
        while let Some(mut field) = self
            .multipart
            .next_field()
            .await
            .map_err(|error| broken(&error, limit))?
        {
            count += 1;
            if count > MAX_FIELDS {
                return Err(FieldErrors::one("body", "has more fields than this request knows").into());
            }
            let name = field.name().unwrap_or_default().to_owned();
            let text = TEXTS.into_iter().find(|text| *text == name);
            let is_repeated = match text {
                Some(text) => self.texts.contains_key(text),
                None if name == "file" => self.file.is_some(),
                None => {
                    // Nobody's field name is that long.
                    let name: String = name.chars().take(100).collect();
                    self.errors.add(&name, "is not a field of this request");
                    continue;
                }
            };
            if is_repeated {
                self.errors.add(&name, "is given twice");
                continue;
            }
            match text {
                Some(name) => {
                    let text = read_text(&mut field, limit, &mut self.errors).await?;
                    self.texts.insert(name, text);
                }
                None => self.file = Some(read_file(field, limit, &mut self.errors).await?),
            }
        }
        let [to, caption, send_at, expires_at] = TEXTS.map(|name| self.texts.remove(name));
        for (field, is_there) in [("to", to.is_some()), ("file", self.file.is_some())] {
            if !is_there {
                self.errors.add(field, "is required");
            }
        }
        // Forms send what nobody filled in.
        let [caption, send_at, expires_at] =
            [caption, send_at, expires_at].map(|text| text.filter(|text| !text.is_empty()));
        let form = to.zip(self.file).map(|(to, file)| MediaForm {
            to,
            file,
            caption,
            send_at,
            expires_at,
        });
        Ok(self.errors.finish(form)?)
    }
}

async fn read_text(
    field: &mut Field<'_>,
    limit: usize,
    errors: &mut FieldErrors,
) -> Result<String, ApiError> {
    let name = field.name().unwrap_or_default().to_owned();
    let mut bytes = Vec::new();
    while let Some(chunk) = field.chunk().await.map_err(|error| broken(&error, limit))? {
        if bytes.len() + chunk.len() > MAX_TEXT {
            errors.add(&name, "is too long");
            break;
        }
        bytes.extend_from_slice(&chunk);
    }
    let text = errors.take(
        &name,
        String::from_utf8(bytes).map_err(|_| "must be text in UTF-8"),
    );
    Ok(text.unwrap_or_default())
}

async fn read_file(
    mut field: Field<'_>,
    limit: usize,
    errors: &mut FieldErrors,
) -> Result<MediaFile, ApiError> {
    let media_type = match field.content_type() {
        None => MediaType::unknown(),
        Some(text) => errors
            .take("file", MediaType::parse(text))
            .unwrap_or_else(MediaType::unknown),
    };
    let name = field.file_name().and_then(FileName::sanitize);
    let mut data = Vec::new();
    while let Some(chunk) = field.chunk().await.map_err(|error| broken(&error, limit))? {
        if data.len() + chunk.len() > limit {
            return Err(too_large(limit));
        }
        data.extend_from_slice(&chunk);
    }
    Ok(MediaFile {
        media_type,
        name,
        data,
    })
}

fn broken(error: &MultipartError, limit: usize) -> ApiError {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return too_large(limit);
    }
    ApiError::new(
        ErrorCode::BadRequest,
        "The form cannot be read: it is broken, or breaks off before its end.",
    )
}
