use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::viewer::{Extracted, Viewer};
use crate::web::error::WebError;

/// A form that a signed-in person sent from one of our own pages: session, origin and token are checked.
///
/// The token is the field `csrf`; the other fields are read as `T`.
#[derive(Debug)]
pub struct SignedForm<T> {
    pub viewer: Viewer,
    pub fields: T,
}

#[derive(Deserialize)]
struct Token {
    #[serde(default)]
    csrf: String,
}

impl<T: DeserializeOwned + 'static> FromRequest for SignedForm<T> {
    type Error = WebError;
    type Future = Extracted<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let viewer = Viewer::from_request(request, payload);
        let body = web::Bytes::from_request(request, payload);
        Box::pin(async move {
            let viewer = viewer.await?;
            let body = body.await.map_err(|error| WebError::of_actix(&error))?;
            let token: Token = read(&body)?;
            viewer.check_csrf(&token.csrf)?;
            Ok(Self { viewer, fields: read(&body)? })
        })
    }
}

/// Reads the fields of a form.
pub(crate) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, WebError> {
    web::Query::<T>::from_query(std::str::from_utf8(body).map_err(|_| WebError::BadRequest)?)
        .map(web::Query::into_inner)
        .map_err(|_| WebError::BadRequest)
}
