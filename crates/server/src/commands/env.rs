//! `gatehouse env`: shell lines that make AWS's tools talk to this house.

use clap::Args;
use gatehouse_domain::scope::AccountId;

use super::say;
use crate::client_files::ClientFiles;
use crate::config::Config;
use crate::failure::Failure;
use crate::house;

/// Whose credentials.
#[derive(Args)]
pub(crate) struct Options {
    /// The account; the first one when left out
    #[arg(long, value_name = "ID", default_value = "000000000000")]
    account: AccountId,
}

pub(crate) async fn run(config: Config, options: Options) -> Result<(), Failure> {
    let opened = house::open(&config).await?;
    let known = opened.store.account(options.account).await?.is_some();
    opened.store.close().await?;
    if !known {
        return Err(Failure::configuration(format!(
            "account {} does not exist: `gatehouse account list` shows those that do",
            options.account
        )));
    }
    for line in lines(&opened.client_files, options.account)? {
        say(line);
    }
    Ok(())
}

/// The lines for `account`.
pub(crate) fn lines(files: &ClientFiles, account: AccountId) -> Result<Vec<String>, Failure> {
    let absolute = |path: std::path::PathBuf| {
        std::path::absolute(&path)
            .map(|path| shell_quoted(&path.display().to_string()))
            .map_err(|error| Failure::other(error.to_string()))
    };
    Ok(vec![
        format!("export AWS_CONFIG_FILE={}", absolute(files.config_path())?),
        format!("export AWS_SHARED_CREDENTIALS_FILE={}", absolute(files.credentials_path())?),
        format!("export AWS_PROFILE={}", ClientFiles::profile(account)),
        "export AWS_EC2_METADATA_DISABLED=true".to_owned(),
    ])
}

fn shell_quoted(text: &str) -> String {
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-".contains(&b));
    if plain { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_quoted_for_the_shell() {
        assert_eq!(shell_quoted("/a/b-c"), "/a/b-c");
        assert_eq!(shell_quoted("/a b"), "'/a b'");
        assert_eq!(shell_quoted("/it's"), r"'/it'\''s'");
    }
}
