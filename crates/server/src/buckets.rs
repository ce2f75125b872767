//! Where input files of bulk registration lie: what the configuration says of it, read and checked.

use std::path::Path;

use gatehouse_control::bulk::Bulk;
use gatehouse_control::bulk::bucket::Bucket;
use gatehouse_control::bulk::s3::S3;
use gatehouse_control::outgoing::Address;
use gatehouse_domain::registration_task::input::BucketName;
use gatehouse_domain::scope::Region;

use crate::config::{self, Config};
use crate::failure::Failure;
use crate::outgoing::Service;

/// Bulk registration as `config` describes it.
pub(crate) fn open(config: &Config) -> Result<Bulk, Failure> {
    let bulk = Bulk::new(config.api.url.as_deref().map(address_of_the_api).transpose()?);
    for (name, settings) in &config.buckets {
        bulk.put(name.clone(), bucket(name, settings, config)?);
    }
    Ok(bulk)
}

fn address_of_the_api(url: &str) -> Result<String, Failure> {
    let refused = |why: &str| Failure::configuration(format!("api.url: {why}"));
    let address: Address = url.parse().map_err(|error| refused(&format!("{error}")))?;
    if address.has_path() {
        return Err(refused("give scheme, host and port alone, such as https://iot.example.com"));
    }
    Ok(url.trim_end_matches('/').to_owned())
}

fn bucket(name: &BucketName, settings: &config::Bucket, config: &Config) -> Result<Bucket, Failure> {
    let service = Service {
        key: &|member| format!("buckets.\"{name}\".{member}"),
        ca_file: settings.ca_file.as_deref(),
        allow_plain: settings.allow_plain,
        access_key_id: settings.access_key_id.as_deref(),
        secret_access_key_file: settings.secret_access_key_file.as_deref(),
    };
    match (&settings.path, &settings.endpoint) {
        (Some(path), None) => {
            if let Some(member) = of_an_endpoint(settings) {
                return Err(service.refused(member, "it is for buckets with an endpoint: leave it out"));
            }
            check_folder(path, &config.data_dir)
                .map_err(|why| service.refused("path", format!("{}: {why}", path.display())))?;
            Ok(Bucket::of_folder(settings.account, path.clone()))
        }
        (None, Some(endpoint)) => {
            let region = settings.region.or_else(|| config.regions.first().copied());
            let region = region.ok_or_else(|| service.refused("region", "name the Region to sign requests for"))?;
            Ok(Bucket::of_s3(settings.account, s3(&service, endpoint, region)?))
        }
        (None, None) => Err(service.refused("path", "say where the bucket is: give path or endpoint")),
        (Some(_), Some(_)) => Err(service.refused("path", "path and endpoint exclude each other: give one of them")),
    }
}

/// A member that means nothing for a folder.
fn of_an_endpoint(settings: &config::Bucket) -> Option<&'static str> {
    [
        ("region", settings.region.is_some()),
        ("access_key_id", settings.access_key_id.is_some()),
        ("secret_access_key_file", settings.secret_access_key_file.is_some()),
        ("ca_file", settings.ca_file.is_some()),
        ("allow_plain", settings.allow_plain),
    ]
    .into_iter()
    .find_map(|(member, is_given)| is_given.then_some(member))
}

/// A folder that is there, and in which none of the server's own secrets lie.
fn check_folder(path: &Path, data_dir: &Path) -> Result<(), String> {
    let folder = path.canonicalize().map_err(|error| error.to_string())?;
    if !folder.is_dir() {
        return Err("it is not a folder".to_owned());
    }
    // What is not there yet lies in nothing.
    let is_exposed = |own: &Path| own.canonicalize().is_ok_and(|own| own.starts_with(&folder));
    if is_exposed(data_dir) || is_exposed(&data_dir.join("keys")) {
        return Err("the data folder or its keys lie in it: give it a folder of its own".to_owned());
    }
    Ok(())
}

fn s3(service: &Service<'_>, endpoint: &str, region: Region) -> Result<S3, Failure> {
    let (address, connect) = service.reached("endpoint", endpoint, "input files")?;
    if address.has_path() {
        let why = "give scheme, host and port alone, such as https://s3.us-east-1.amazonaws.com";
        return Err(service.refused("endpoint", why));
    }
    Ok(S3::new(address, region, service.access_key()?, connect))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(settings: &str) -> Result<(), String> {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["input", "data", "data/keys"] {
            std::fs::create_dir(at(name)).unwrap();
        }
        std::fs::write(at("secret"), "hush\n").unwrap();
        std::fs::write(at("empty"), "").unwrap();
        let mut settings = settings.to_owned();
        for (word, path) in [
            ("FOLDER", at("input")),
            ("SECRET", at("secret")),
            ("EMPTY", at("empty")),
            ("DATA", at("data")),
            ("ALL", at("")),
        ] {
            settings = settings.replace(word, &path.display().to_string());
        }
        let text = format!("[buckets.fleet-input]\naccount = \"000000000000\"\n{settings}");
        let mut config: Config = toml::from_str(&text).unwrap();
        config.data_dir = at("data");
        open(&config).map(drop).map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_bucket_is_a_folder_or_at_an_endpoint() {
        for settings in [
            "path = \"FOLDER\"",
            "path = \"DATA/../input\"",
            "endpoint = \"http://127.0.0.1:9000\"",
            "endpoint = \"http://minio.internal:9000\"\nallow_plain = true\nregion = \"eu-west-1\"",
            "endpoint = \"http://[::1]:9000/\"\naccess_key_id = \"minio-admin\"\nsecret_access_key_file = \"SECRET\"",
        ] {
            assert_eq!(read(settings), Ok(()), "{settings}");
        }
    }

    #[test]
    fn what_is_no_bucket_is_one_sentence_that_names_the_key() {
        for (settings, key, word) in [
            ("", "path", "endpoint"),
            ("path = \"FOLDER\"\nendpoint = \"http://127.0.0.1\"", "path", "exclude"),
            ("path = \"FOLDER/nothing\"", "path", "No such file"),
            ("path = \"SECRET\"", "path", "not a folder"),
            ("path = \"DATA\"", "path", "keys"),
            ("path = \"DATA/keys\"", "path", "keys"),
            ("path = \"ALL\"", "path", "keys"),
            ("path = \"/\"", "path", "keys"),
            ("path = \"FOLDER\"\nregion = \"us-east-1\"", "region", "endpoint"),
            ("path = \"FOLDER\"\nallow_plain = true", "allow_plain", "endpoint"),
            ("endpoint = \"minio\"", "endpoint", "minio"),
            ("endpoint = \"http://minio.internal:9000\"", "endpoint", "allow_plain"),
            ("endpoint = \"http://127.0.0.1:9000/fleet-input\"", "endpoint", "alone"),
            ("endpoint = \"http://127.0.0.1\"\nca_file = \"SECRET\"", "ca_file", "https"),
            ("endpoint = \"https://127.0.0.1\"\nca_file = \"SECRET\"", "ca_file", "no certificate"),
            ("endpoint = \"http://127.0.0.1\"\naccess_key_id = \"AKIA\"", "access_key_id", "belong together"),
            (
                "endpoint = \"http://127.0.0.1\"\naccess_key_id = \"AKIA/x\"\nsecret_access_key_file = \"SECRET\"",
                "access_key_id",
                "slashes",
            ),
            (
                "endpoint = \"http://127.0.0.1\"\naccess_key_id = \"AKIA\"\nsecret_access_key_file = \"EMPTY\"",
                "secret_access_key_file",
                "empty",
            ),
        ] {
            let sentence = read(settings).unwrap_err();
            assert!(sentence.contains(&format!("buckets.\"fleet-input\".{key}")), "{sentence}");
            assert!(sentence.contains(word) && !sentence.contains('\n') && !sentence.contains("hush"), "{sentence}");
        }
    }

    #[test]
    fn links_begin_with_the_address_of_the_api() {
        for (url, expected) in
            [("https://iot.example.com/", true), ("http://10.0.0.1:8080", true), ("x", false), ("https://a/b", false)]
        {
            let config: Config = toml::from_str(&format!("[api]\nurl = \"{url}\"")).unwrap();
            assert_eq!(open(&config).is_ok(), expected, "{url}");
        }
    }
}
