//! What the caller sees of an outcome: the one mapping from results and failures to HTTP.

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};

use super::status;
use crate::error::{Code, Error};

/// The response to an outcome.
pub(super) fn response(request_id: &str, outcome: &Result<Value, Error>) -> Response<Full<Bytes>> {
    let (status, code, body) = match outcome {
        Ok(output) => (StatusCode::OK, None, output.to_string()),
        Err(error) => {
            let (code, body) = refusal(error);
            (status(code), Some(code), body.to_string())
        }
    };
    let mut response = Response::builder()
        .status(status)
        .header(http::header::CONTENT_TYPE, "application/json")
        .header("x-amzn-RequestId", request_id);
    if let Some(code) = code {
        // AWS writes a colon behind the name; clients take what stands before it.
        response = response.header("x-amzn-ErrorType", format!("{}:", code.name()));
    }
    response.body(Full::new(Bytes::from(body))).unwrap_or_default()
}

/// The name of an outcome for metrics and logs.
pub(super) fn result_name(outcome: &Result<Value, Error>) -> &'static str {
    match outcome {
        Ok(_) => "Success",
        Err(error) => refusal(error).0.name(),
    }
}

fn refusal(error: &Error) -> (Code, Value) {
    match error {
        Error::Refused(refused) => {
            let mut body = json!({ "message": refused.message });
            if let (Some((id, arn)), Some(members)) = (&refused.existing, body.as_object_mut()) {
                members.insert("resourceId".into(), json!(id));
                members.insert("resourceArn".into(), json!(arn));
            }
            (refused.code, body)
        }
        Error::Store(gatehouse_store::Error::Unavailable(_)) => (
            Code::ServiceUnavailableException,
            json!({ "message": "the store cannot be reached at the moment: try again" }),
        ),
        Error::Store(_) | Error::Internal(_) => (
            Code::InternalFailureException,
            json!({ "message": "an internal failure: the server's log has it under the request id" }),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn internal_failures_tell_the_caller_nothing_of_the_inside() {
        let outcome = Err(Error::Internal("secret path /x".into()));
        let (code, body) = refusal(outcome.as_ref().unwrap_err());
        assert_eq!(code, Code::InternalFailureException);
        assert!(!body.to_string().contains("secret"));
        assert_eq!(response("id", &outcome).status(), 500);
    }

    #[test]
    fn codes_have_the_status_of_the_model() {
        for code in Code::ALL {
            if let Some(status) = crate::facts::IOT.shape(code.name()).and_then(|shape| shape.status) {
                assert_eq!(code.status(), status, "{}", code.name());
            }
        }
    }
}
