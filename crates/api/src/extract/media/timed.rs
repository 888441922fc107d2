//! Bodies that must come in time: a large one that never ends holds what others could have.

use std::{error::Error, iter, time::Duration};

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use tokio::time::{Instant, timeout_at};
use wahana_domain::ErrorCode;

use crate::{error::ApiError, settings::UploadLimits};

/// A body that did not come in time.
#[derive(Clone, Copy, Debug, thiserror::Error)]
enum TooSlow {
    #[error("The body stopped coming: nothing of it came for {} seconds.", .0.as_secs())]
    Silence(Duration),
    #[error("The body did not come to its end within {} seconds.", .0.as_secs())]
    Whole(Duration),
}

/// A body that breaks off when it does not come in time.
pub(super) fn timed(body: Body, limits: UploadLimits) -> Body {
    let deadline = Instant::now() + limits.whole;
    let pieces = stream::try_unfold(body.into_data_stream(), move |mut pieces| async move {
        let piece = next(&mut pieces, deadline, limits).await?;
        Ok::<_, axum::BoxError>(piece.map(|piece| (piece, pieces)))
    });
    Body::from_stream(pieces)
}

async fn next(
    pieces: &mut BodyDataStream,
    deadline: Instant,
    limits: UploadLimits,
) -> Result<Option<Bytes>, axum::BoxError> {
    let now = Instant::now();
    if now >= deadline {
        return Err(TooSlow::Whole(limits.whole).into());
    }
    let silent = now + limits.silence;
    match timeout_at(silent.min(deadline), pieces.next()).await {
        Ok(piece) => Ok(piece.transpose()?),
        Err(_) if silent < deadline => Err(TooSlow::Silence(limits.silence).into()),
        Err(_) => Err(TooSlow::Whole(limits.whole).into()),
    }
}

/// What an error means for whoever sends the body, if it is that it did not come in time.
pub(super) fn too_slow(error: &(dyn Error + 'static)) -> Option<ApiError> {
    let mut causes = iter::successors(Some(error), |error| (*error).source());
    let too_slow: &TooSlow = causes.find_map(|cause| cause.downcast_ref())?;
    Some(ApiError::new(ErrorCode::BadRequest, too_slow.to_string()))
}
