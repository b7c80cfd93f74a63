//! Webhooks: what the spend guard tells, told to other programs. Signed as Standard Webhooks says, asked again until it is
//! taken, kept over restarts.
//!
//! ```text
//! shard ─event─▶ herald ─▶ queue of each webhook ─ send ─▶ receiver      taken, or given up ─▶ store
//!                  ▲ what the store has and no receiver heard, at the start and where there was no room
//! ```
//!
//! At least once: an event whose taking was not written down before a kill is sent again, with the same id.
//!
//! Does not know what events say, nor how they came about.

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::Uri;
use metrics::{Unit, counter, describe_counter, describe_gauge};
use ring::hmac;

use crate::guard::Rules;
use crate::ingest::secret::SecretSettings;
use crate::time::{MICROS_PER_SECOND, Micros, Timestamp};

pub mod deliver;
pub mod herald;
pub mod send;

/// A receiver, checked.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// What it is called in metrics, the store and answers.
    pub name: String,
    /// Where it is: http or https.
    pub url: Uri,
    /// By what its messages are signed.
    pub secret: SecretSettings,
    /// PEM: who must have signed its certificate; none: anybody whom this system trusts.
    pub ca: Option<PathBuf>,
    /// Longest time for one attempt.
    pub timeout: Duration,
    /// An event that is older is given up when it is refused again.
    pub give_up: Micros,
}

/// Fewest and most bytes of a key, as Standard Webhooks says.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// Why a secret cannot sign.
#[derive(Debug, thiserror::Error)]
pub enum BadSecret {
    /// It cannot be read.
    #[error(transparent)]
    None(#[from] crate::ingest::secret::NoSecret),
    /// It is none of Standard Webhooks.
    #[error(
        "the secret is not `whsec_` and 24 to 64 bytes in base64: make one with\n  (printf whsec_; openssl rand -base64 32) > webhook.secret"
    )]
    NotOne,
}

/// Signs messages.
#[derive(Clone)]
pub struct Signer(hmac::Key);

impl Signer {
    /// Of a secret as written: `whsec_…`.
    pub fn new(secret: &[u8]) -> Result<Signer, BadSecret> {
        let text = secret.strip_prefix(b"whsec_").ok_or(BadSecret::NotOne)?.trim_ascii();
        let key = STANDARD.decode(text).ok().filter(|key| KEY_BYTES.contains(&key.len())).ok_or(BadSecret::NotOne)?;
        Ok(Signer(hmac::Key::new(hmac::HMAC_SHA256, &key)))
    }

    /// The value of `webhook-signature`.
    pub fn sign(&self, id: &str, at: Timestamp, body: &str) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(format!("{id}.{}.", seconds(at)).as_bytes());
        context.update(body.as_bytes());
        format!("v1,{}", STANDARD.encode(context.sign().as_ref()))
    }
}

impl Webhook {
    /// What signs for it.
    pub fn signer(&self) -> Result<Signer, BadSecret> {
        Signer::new(&self.secret.read()?)
    }
}

/// Unix seconds.
fn seconds(at: Timestamp) -> i64 {
    at.0.div_euclid(MICROS_PER_SECOND)
}

/// Shows at nought what rules may tell, so that a dashboard sees it before it happens.
pub fn announce(rules: &Rules) {
    for rule in &rules.rules {
        let levels = rule.levels.iter().map(|level| format!("{level}%"));
        for level in levels.chain(rule.what.is_first().then(|| "first".to_owned())) {
            counter!("callrated_guard_events_total", "rule" => rule.name.clone(), "level" => level).increment(0);
        }
    }
}

/// Says what the metrics of this part mean; once, after the recorder is installed.
pub fn describe() {
    describe_counter!("callrated_guard_events_total", "What the spend guard told, by rule and level");
    describe_counter!("callrated_guard_webhook_deliveries_total", "Events that a webhook took");
    describe_counter!("callrated_guard_webhook_failures_total", "Attempts to tell a webhook that failed");
    describe_counter!("callrated_guard_webhook_given_up_total", "Events that a webhook was not told after all");
    describe_gauge!("callrated_guard_webhook_pending", Unit::Count, "Events that a webhook has not taken yet");
    describe_gauge!(
        "callrated_guard_webhook_last_success_timestamp_seconds",
        Unit::Seconds,
        "When a webhook last took an event, Unix time; 0: not since the start"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's reference libraries (svix/standard-webhooks, test of `sign`).
    #[test]
    fn signs_as_the_reference_libraries_do() {
        let signer = Signer::new(b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let at = Timestamp(1_614_265_330_000_000);
        assert_eq!(
            signer.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", at, "{\"test\": 2432232314}"),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn secrets_are_of_the_right_form() {
        for (text, good) in [
            ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", true),
            ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", false),
            ("whsec_c2hvcnQ=", false),
            ("whsec_not base64, not at all, never!", false),
            ("", false),
        ] {
            assert_eq!(Signer::new(text.as_bytes()).is_ok(), good, "{text}");
        }
    }
}
