//! `GET /openapi.json`: the API's own description, made from the handlers and the types they answer with.
//!
//! Does not know what is answered.

use std::sync::OnceLock;

use axum::http::header;
use axum::response::IntoResponse;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi, ToResponse};

use super::{
    Problem, accounts, backup, calls, changes, conflicts, decide, explain, export, guard, health, held, history,
    import, margin, months, page, periods, post, quote, rerate, retention, shadow, suspense, tariff, trial, usage,
    verify, waiting,
};

/// Why the request was not answered as asked. Every error looks like this, whatever its status.
#[derive(ToResponse)]
#[response(content_type = "application/problem+json")]
pub(super) struct AnyProblem(#[allow(dead_code)] Problem);

#[derive(OpenApi)]
#[openapi(
    info(
        title = "callrated",
        description = "Usage, call details, proofs and operation of a call-rating daemon.\n\n\
            Amounts, minutes and seconds with fractions are decimal strings, never JSON numbers. Instants are RFC 3339 in \
            UTC. Answers see every record that was acknowledged before the question. Errors are RFC 9457 problem details. \
            Requests with unknown parameters are refused.\n\n\
            Without a tokens file only this machine may call. Connections are encrypted if the configuration's `[http]` has \
            `tls`: beyond one's own network it should.",
    ),
    paths(
        post::post, calls::of_account, calls::one, calls::record, explain::explain, export::calls,
        usage::of_account, periods::usage, months::list, months::one, months::manifest, months::seal, months::ack, quote::quote, shadow::shadow, accounts::one, accounts::directory, tariff::show, tariff::reload, tariff::activate, trial::attempt, suspense::list, suspense::retry, suspense::discard, conflicts::list, guard::events, guard::of_account, import::post, verify::verify, backup::backup, decide::decide, waiting::export, retention::show, retention::run, held::hold, held::put, held::release, held::data, held::erase, accounts::list, changes::put_account, changes::end_account, changes::many_accounts, changes::one_number, changes::put_number, changes::end_number, changes::many_numbers, history::of_account, history::of_number, rerate::rerate, rerate::list, rerate::one, rerate::undo,
        margin::margin,
        health::alive, health::ready, health::metrics, health::status,
        page::index, page::call, page::file, document,
    ),
    components(responses(AnyProblem), schemas(Problem)),
    tags(
        (name = "records", description = "Records in, and what became of them"),
        (name = "usage", description = "Totals"),
        (name = "calls", description = "Rated calls, and prices of calls that have not happened"),
        (name = "in force", description = "The tariff and the directory"),
        (name = "operating", description = "What waits, and changing what is in force"),
        (name = "health", description = "How the daemon is"),
    ),
    modifiers(&Secured),
)]
struct Document;

struct Secured;

impl Modify for Secured {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let mut scheme = Http::new(HttpAuthScheme::Bearer);
        scheme.description = Some(
            "A token of the tokens file with the route's scope: ingest, read or operate. Without a tokens file only \
             this machine may call, and needs none."
                .to_owned(),
        );
        openapi.components.get_or_insert_default().add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}

/// This description.
#[utoipa::path(
    get, path = "/openapi.json", tag = "health", operation_id = "openapi",
    responses((status = 200, body = serde_json::Value, content_type = "application/json")),
)]
pub(super) async fn document() -> impl IntoResponse {
    static TEXT: OnceLock<String> = OnceLock::new();
    // Plain text, numbers and maps always serialise.
    let text = TEXT.get_or_init(|| Document::openapi().to_pretty_json().unwrap_or_default());
    ([(header::CONTENT_TYPE, "application/json")], text.as_str())
}
