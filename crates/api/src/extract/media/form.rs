//! A form that brings a file, which goes into the media store while it comes.

use std::{collections::HashMap, pin::pin};

use axum::{
    body::Body,
    extract::{
        DefaultBodyLimit, FromRequest, Multipart, Request,
        multipart::{Field, MultipartError},
    },
    http::{StatusCode, header},
};
use http_body_util::Limited;
use wahana_domain::{ErrorCode, FileName, MediaType};
use wahana_service::{
    FieldErrors, Services,
    access::{Granted, SendMessages},
    media::UploadError,
    messages::{self, MediaFile},
};

use super::{
    timed::{timed, too_slow},
    unsupported,
};
use crate::{error::ApiError, extract::body::too_large, state::ApiState};

/// The longest text of a form's field, in bytes: some more than the longest caption.
const MAX_TEXT: usize = 16 * 1024;
/// How many fields of a form are looked at.
const MAX_FIELDS: usize = 16;
/// The fields of a form besides the file. Only the first is required.
const TEXTS: [&str; 4] = ["to", "caption", "send_at", "expires_at"];

/// A form with a file.
pub(crate) struct MediaForm {
    pub(crate) to: String,
    pub(crate) file: MediaFile,
    pub(crate) caption: Option<String>,
    pub(crate) send_at: Option<String>,
    pub(crate) expires_at: Option<String>,
}

/// A form that is still to be read.
pub(crate) struct Form {
    multipart: Multipart,
    /// The largest file, in bytes.
    limit: usize,
}

impl Form {
    pub(super) async fn open(
        request: Request,
        state: &ApiState,
        limit_of_all: usize,
    ) -> Result<Self, ApiError> {
        let mut encodings = request.headers().get_all(header::CONTENT_ENCODING).iter();
        let is_encoded = encodings.any(|encoding| encoding != "identity");
        if is_encoded {
            return Err(unsupported());
        }
        let settings = state.settings();
        let mut request =
            request.map(|body| Body::new(Limited::new(timed(body, settings.uploads), limit_of_all)));
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
            limit: settings.media_limit,
        })
    }

    /// Reads it. The file is the caller's organization's, and goes when the form is dropped unless it is sent.
    pub(crate) async fn read(
        self,
        services: &Services,
        access: &Granted<SendMessages>,
    ) -> Result<MediaForm, ApiError> {
        let Self { mut multipart, limit } = self;
        let mut fields = Fields {
            services,
            access,
            limit,
            errors: FieldErrors::default(),
            texts: HashMap::new(),
            has_file: false,
            file: None,
        };
        let mut count = 0;
        while let Some(field) = multipart
            .next_field()
            .await
            .map_err(|error| broken(&error, limit))?
        {
            count += 1;
            if count > MAX_FIELDS {
                return Err(FieldErrors::one("body", "has more fields than this request knows").into());
            }
            fields.read(field).await?;
        }
        fields.finish()
    }
}

/// What was read of a form.
struct Fields<'a> {
    services: &'a Services,
    access: &'a Granted<SendMessages>,
    limit: usize,
    errors: FieldErrors,
    /// The texts of its other fields, by their names.
    texts: HashMap<&'static str, String>,
    has_file: bool,
    /// `None` if it is not there, or faulty.
    file: Option<MediaFile>,
}

impl Fields<'_> {
    async fn read(&mut self, field: Field<'_>) -> Result<(), ApiError> {
        let name = field.name().unwrap_or_default().to_owned();
        let text = TEXTS.into_iter().find(|text| *text == name);
        let is_repeated = match text {
            Some(text) => self.texts.contains_key(text),
            None if name == "file" => self.has_file,
            None => {
                // Nobody's field name is that long.
                let name: String = name.chars().take(100).collect();
                self.errors.add(&name, "is not a field of this request");
                return Ok(());
            }
        };
        if is_repeated {
            self.errors.add(&name, "is given twice");
            return Ok(());
        }
        if let Some(name) = text {
            let text = self.read_text(name, field).await?;
            self.texts.insert(name, text);
        } else {
            self.has_file = true;
            self.file = self.read_file(field).await?;
        }
        Ok(())
    }

    async fn read_text(&mut self, name: &str, mut field: Field<'_>) -> Result<String, ApiError> {
        let mut bytes = Vec::new();
        while let Some(chunk) = field.chunk().await.map_err(|error| broken(&error, self.limit))? {
            if bytes.len() + chunk.len() > MAX_TEXT {
                self.errors.add(name, "is too long");
                break;
            }
            bytes.extend_from_slice(&chunk);
        }
        let text = self.errors.take(
            name,
            String::from_utf8(bytes).map_err(|_| "must be text in UTF-8"),
        );
        Ok(text.unwrap_or_default())
    }

    /// The file, unless it is of no type: nobody needs it then.
    async fn read_file(&mut self, field: Field<'_>) -> Result<Option<MediaFile>, ApiError> {
        let media_type = match field.content_type() {
            None => Some(MediaType::unknown()),
            Some(text) => self.errors.take("file", MediaType::parse(text)),
        };
        let Some(media_type) = media_type else {
            return Ok(None);
        };
        let name = field.file_name().and_then(FileName::sanitize);
        let (services, access, limit) = (self.services, self.access, self.limit);
        let received = messages::receive_media(services, access, media_type, name, pin!(field), limit).await;
        received.map(Some).map_err(|error| match error {
            UploadError::Source(error) => broken(&error, limit),
            UploadError::Service(error) => error.into(),
        })
    }

    fn finish(mut self) -> Result<MediaForm, ApiError> {
        let [to, caption, send_at, expires_at] = TEXTS.map(|name| self.texts.remove(name));
        for (field, is_there) in [("to", to.is_some()), ("file", self.has_file)] {
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

fn broken(error: &MultipartError, limit: usize) -> ApiError {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return too_large(limit);
    }
    too_slow(error).unwrap_or_else(|| {
        ApiError::new(
            ErrorCode::BadRequest,
            "The form cannot be read: it is broken, or breaks off before its end.",
        )
    })
}
