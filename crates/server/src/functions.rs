//! Where functions are called: what the configuration says of it, read and checked.

use std::sync::Arc;

use gatehouse_control::functions::Functions;
use gatehouse_control::functions::function::Function;
use gatehouse_domain::function::FunctionArn;
use gatehouse_domain::time::Clock;

use crate::config::{self, Config};
use crate::failure::Failure;
use crate::outgoing::Service;

/// The functions that `config` describes.
pub(crate) fn open(config: &Config, clock: Arc<dyn Clock>) -> Result<Functions, Failure> {
    let functions = Functions::new(clock);
    for (arn, settings) in &config.functions {
        functions.put(arn.clone(), function(arn, settings)?);
    }
    Ok(functions)
}

fn function(arn: &FunctionArn, settings: &config::Function) -> Result<Function, Failure> {
    let service = Service {
        key: &|member| format!("functions.\"{arn}\".{member}"),
        ca_file: settings.ca_file.as_deref(),
        allow_plain: settings.allow_plain,
        access_key_id: settings.access_key_id.as_deref(),
        secret_access_key_file: settings.secret_access_key_file.as_deref(),
    };
    let exposed = "events and answers";
    match (&settings.url, &settings.endpoint) {
        (Some(url), None) => {
            let (address, connect) = service.reached("url", url, exposed)?;
            if service.access_key()?.is_some() {
                let why = "only requests to an endpoint are signed: use endpoint, or leave it out";
                return Err(service.refused("access_key_id", why));
            }
            Ok(Function::at_url(address, connect))
        }
        (None, Some(endpoint)) => {
            let (address, connect) = service.reached("endpoint", endpoint, exposed)?;
            let access_key = service.access_key()?;
            if address.has_path() {
                let why = "give scheme, host and port alone, such as https://lambda.us-east-1.amazonaws.com";
                return Err(service.refused("endpoint", why));
            }
            Ok(Function::at_endpoint(address, access_key, connect))
        }
        (None, None) => Err(service.refused("url", "say where the function is called: give url or endpoint")),
        (Some(_), Some(_)) => Err(service.refused("url", "url and endpoint exclude each other: give one of them")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:sign";

    fn read(settings: &str) -> Result<(), String> {
        let folder = tempfile::tempdir().unwrap();
        let (secret, empty) = (folder.path().join("secret"), folder.path().join("empty"));
        std::fs::write(&secret, "hush\n").unwrap();
        std::fs::write(&empty, "").unwrap();
        let settings = settings.replace("SECRET", &format!("{secret:?}")).replace("EMPTY", &format!("{empty:?}"));
        let config: Config = toml::from_str(&format!("[functions.\"{ARN}\"]\n{settings}")).unwrap();
        let clock = Arc::new(crate::clock::SystemClock);
        open(&config, clock).map(drop).map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_function_is_called_at_a_url_or_an_endpoint() {
        for settings in [
            "url = \"http://127.0.0.1:9000/sign?x=1\"",
            "url = \"http://functions.internal/sign\"\nallow_plain = true",
            "endpoint = \"http://localhost:4566\"",
            "endpoint = \"http://[::1]:4566/\"\naccess_key_id = \"AKIA\"\nsecret_access_key_file = SECRET",
        ] {
            assert_eq!(read(settings), Ok(()), "{settings}");
        }
    }

    #[test]
    fn what_cannot_be_called_is_one_sentence_that_names_the_key() {
        for (settings, key, word) in [
            ("", "url", "endpoint"),
            ("url = \"http://127.0.0.1\"\nendpoint = \"http://127.0.0.1\"", "url", "exclude"),
            ("url = \"sign\"", "url", "sign"),
            ("url = \"ftp://127.0.0.1/sign\"", "url", "ftp"),
            ("url = \"http://me:hush@127.0.0.1/sign\"", "url", "@"),
            ("url = \"http://functions.internal/sign\"", "url", "allow_plain"),
            ("endpoint = \"http://10.0.0.1:4566\"", "endpoint", "allow_plain"),
            ("endpoint = \"http://127.0.0.1:4566/lambda\"", "endpoint", "alone"),
            ("url = \"http://127.0.0.1/\"\nca_file = SECRET", "ca_file", "https"),
            ("url = \"https://127.0.0.1/\"\nca_file = SECRET", "ca_file", "no certificate"),
            ("endpoint = \"http://127.0.0.1\"\naccess_key_id = \"AKIA\"", "access_key_id", "belong together"),
            ("endpoint = \"http://127.0.0.1\"\nsecret_access_key_file = SECRET", "access_key_id", "belong together"),
            (
                "endpoint = \"http://127.0.0.1\"\naccess_key_id = \"AKIA/x\"\nsecret_access_key_file = SECRET",
                "access_key_id",
                "letters",
            ),
            (
                "endpoint = \"http://127.0.0.1\"\naccess_key_id = \"AKIA\"\nsecret_access_key_file = EMPTY",
                "secret_access_key_file",
                "empty",
            ),
            (
                "url = \"http://127.0.0.1\"\naccess_key_id = \"AKIA\"\nsecret_access_key_file = SECRET",
                "access_key_id",
                "signed",
            ),
        ] {
            let sentence = read(settings).unwrap_err();
            assert!(sentence.contains(&format!("functions.\"{ARN}\".{key}")), "{sentence}");
            assert!(sentence.contains(word) && !sentence.contains('\n') && !sentence.contains("hush"), "{sentence}");
        }
    }
}
