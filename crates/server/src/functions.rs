//! Where functions are called: what the configuration says of it, read and checked.

use std::sync::Arc;

use gatehouse_control::functions::Functions;
use gatehouse_control::functions::function::{Address, Function, InvokeCredentials};
use gatehouse_control::outgoing::{Connect, Plain};
use gatehouse_domain::function::FunctionArn;
use gatehouse_domain::time::Clock;

use crate::config::{self, Config};
use crate::failure::Failure;
use crate::outgoing::{Tls, secret};

/// The functions that `config` describes.
pub(crate) fn open(config: &Config, clock: Arc<dyn Clock>) -> Result<Functions, Failure> {
    let functions = Functions::new(clock);
    for (arn, settings) in &config.functions {
        functions.put(arn.clone(), function(arn, settings)?);
    }
    Ok(functions)
}

fn function(arn: &FunctionArn, settings: &config::Function) -> Result<Function, Failure> {
    let key = |member: &str| format!("functions.\"{arn}\".{member}");
    let refused = |member: &str, why: &str| Failure::configuration(format!("{}: {why}", key(member)));
    let (member, text) = match (&settings.url, &settings.endpoint) {
        (Some(url), None) => ("url", url),
        (None, Some(endpoint)) => ("endpoint", endpoint),
        (None, None) => return Err(refused("url", "say where the function is called: give url or endpoint")),
        (Some(_), Some(_)) => return Err(refused("url", "url and endpoint exclude each other: give one of them")),
    };
    let address: Address = text.parse().map_err(|error| refused(member, &format!("{error}")))?;
    if !address.is_secure() && !address.is_loopback() && !settings.allow_plain {
        return Err(refused(
            member,
            "events and answers would travel unprotected: use https, or set allow_plain = true if the way is safe",
        ));
    }
    if !address.is_secure() && settings.ca_file.is_some() {
        return Err(refused("ca_file", "it counts for https only: leave it out, or use https"));
    }
    let connect: Arc<dyn Connect> = if address.is_secure() {
        Arc::new(Tls::trusting(&key("ca_file"), settings.ca_file.as_deref())?)
    } else {
        Arc::new(Plain)
    };

    let credentials = match (&settings.access_key_id, &settings.secret_access_key_file) {
        (None, None) => None,
        (Some(id), Some(_)) if id.is_empty() || !id.bytes().all(|octet| octet.is_ascii_alphanumeric()) => {
            return Err(refused("access_key_id", "an access key id has letters and digits only"));
        }
        (Some(id), Some(path)) => Some(InvokeCredentials {
            access_key_id: id.clone(),
            secret_access_key: secret(&key("secret_access_key_file"), path)?,
        }),
        _ => {
            let why = "access_key_id and secret_access_key_file belong together: give both or neither";
            return Err(refused("access_key_id", why));
        }
    };
    match member {
        "url" if credentials.is_some() => {
            Err(refused("access_key_id", "only requests to an endpoint are signed: use endpoint, or leave it out"))
        }
        "url" => Ok(Function::at_url(address, connect)),
        _ if address.has_path() => {
            Err(refused("endpoint", "give scheme, host and port alone, such as https://lambda.us-east-1.amazonaws.com"))
        }
        _ => Ok(Function::at_endpoint(address, credentials, connect)),
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
