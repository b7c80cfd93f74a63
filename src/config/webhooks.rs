//! `[[webhook]]`: as written → checked.
//!
//! Does not know what is told there.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper::Uri;
use serde::Deserialize;
use toml::Spanned;

use super::{Fault, Length};
use crate::ingest::secret::SecretSettings;
use crate::time::Micros;
use crate::webhook::Webhook;

/// As written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawWebhook {
    url: Spanned<String>,
    secret: SecretSettings,
    name: Option<String>,
    ca: Option<PathBuf>,
    #[serde(default = "timeout")]
    timeout: Length,
    #[serde(default = "give_up")]
    give_up: Length,
}

fn timeout() -> Length {
    Length(10_000_000)
}

fn give_up() -> Length {
    Length(3 * 86_400_000_000)
}

/// Those of a configuration, with the files relative to a folder.
pub(super) fn checked(all: &[Spanned<RawWebhook>], base: &Path) -> Result<Vec<Webhook>, Fault> {
    let mut checked: Vec<Webhook> = Vec::new();
    for spanned in all {
        let raw = spanned.get_ref();
        let text = raw.url.get_ref();
        let url: Option<Uri> = text.parse().ok();
        let url = url.filter(|url| matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some());
        let Some(url) = url else {
            let hint = "write https://HOST/PATH".to_owned();
            return Err(Fault { hint, ..Fault::at(&raw.url, format!("[[webhook]] {text:?} is no address")) });
        };
        let authority = url.authority().map_or("", |authority| authority.as_str());
        if authority.contains('@') {
            let hint = "messages are signed by the secret; take the password out".to_owned();
            return Err(Fault { hint, ..Fault::at(&raw.url, "[[webhook]] an address with a name and a password") });
        }
        let name = raw.name.clone().unwrap_or_else(|| authority.to_owned());
        if checked.iter().any(|other| other.name == name) {
            let hint = "give each a name of its own".to_owned();
            return Err(Fault { hint, ..Fault::at(spanned, format!("[[webhook]] {name} stands there twice")) });
        }
        checked.push(Webhook {
            name,
            url,
            secret: raw.secret.relative_to(base),
            ca: raw.ca.as_ref().map(|file| base.join(file)),
            timeout: Duration::from_micros(raw.timeout.0.max(1_000).unsigned_abs()),
            give_up: Micros(raw.give_up.0),
        });
    }
    Ok(checked)
}
