//! The table of routes: method, path, who may call, handler.
//!
//! Does not know what a handler answers, nor how a caller is known.

use std::convert::Infallible;

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter, on};

use super::auth::{Access, Scope};
use super::{
    App, accounts, backup, calls, changes, conflicts, decide, explain, export, guard, health, held, history, import,
    margin, months, openapi, page, periods, post, quote, rerate, retention, shadow, suspense, tariff, trial, usage,
    verify, waiting,
};

/// Every route: method, path, who may call, handler.
pub(super) fn api() -> Routes {
    use Scope::{Ingest, Operate, Read};
    of_health()
        .scoped(Method::POST, "/v1/calls", Ingest, post::post)
        .scoped(Method::GET, "/v1/accounts/{account}", Read, accounts::one)
        .scoped(Method::PUT, "/v1/accounts/{account}", Operate, changes::put_account)
        .scoped(Method::DELETE, "/v1/accounts/{account}", Operate, changes::end_account)
        .scoped(Method::GET, "/v1/accounts/{account}/history", Read, history::of_account)
        .scoped(Method::GET, "/v1/accounts", Read, accounts::list)
        .scoped(Method::POST, "/v1/accounts", Operate, changes::many_accounts)
        .scoped(Method::GET, "/v1/numbers/{number}", Read, changes::one_number)
        .scoped(Method::PUT, "/v1/numbers/{number}", Operate, changes::put_number)
        .scoped(Method::DELETE, "/v1/numbers/{number}", Operate, changes::end_number)
        .scoped(Method::GET, "/v1/numbers/{number}/history", Read, history::of_number)
        .scoped(Method::POST, "/v1/numbers", Operate, changes::many_numbers)
        .scoped(Method::GET, "/v1/accounts/{account}/usage", Read, usage::of_account)
        .scoped(Method::GET, calls::OF_ACCOUNT, Read, calls::of_account)
        .scoped(Method::GET, "/v1/periods/{period}/usage", Read, periods::usage)
        .scoped(Method::GET, "/v1/periods", Read, months::list)
        .scoped(Method::GET, "/v1/periods/{period}", Read, months::one)
        .scoped(Method::GET, "/v1/periods/{period}/calls", Read, export::calls)
        .scoped(Method::GET, "/v1/periods/{period}/manifest", Read, months::manifest)
        .scoped(Method::POST, "/v1/periods/{period}/seal", Operate, months::seal)
        .scoped(Method::POST, "/v1/periods/{period}/ack", Operate, months::ack)
        .scoped(Method::GET, "/v1/calls/{node}/{id}", Read, calls::one)
        .scoped(Method::GET, "/v1/calls/{node}/{id}/explain", Read, explain::explain)
        .scoped(Method::GET, "/v1/records/{node}/{id}", Read, calls::record)
        .scoped(Method::POST, "/v1/quote", Read, quote::quote)
        .scoped(Method::GET, "/v1/shadow", Read, shadow::shadow)
        .scoped(Method::GET, "/v1/tariff", Read, tariff::show)
        .scoped(Method::GET, "/v1/directory", Read, accounts::directory)
        .scoped(Method::GET, "/v1/suspense", Operate, suspense::list)
        .scoped(Method::POST, "/v1/suspense/retry", Operate, suspense::retry)
        .scoped(Method::POST, "/v1/suspense/discard", Operate, suspense::discard)
        .scoped(Method::GET, "/v1/conflicts", Operate, conflicts::list)
        .scoped(Method::GET, "/v1/guard/events", Read, guard::events)
        .scoped(Method::GET, "/v1/accounts/{account}/guard", Read, guard::of_account)
        .scoped(Method::POST, "/v1/conflicts/{node}/{id}/decide", Operate, decide::decide)
        .scoped(Method::GET, "/v1/suspense/export", Operate, waiting::export)
        .scoped(Method::POST, "/v1/tariff/reload", Operate, tariff::reload)
        .scoped(Method::POST, "/v1/tariff/activate", Operate, tariff::activate)
        .scoped(Method::POST, "/v1/tariff/try", Operate, trial::attempt)
        .scoped(Method::POST, "/v1/rerate", Operate, rerate::rerate)
        .scoped(Method::GET, "/v1/rerate", Operate, rerate::list)
        .scoped(Method::GET, "/v1/rerate/{job}", Operate, rerate::one)
        .scoped(Method::POST, "/v1/rerate/{job}/undo", Operate, rerate::undo)
        .scoped(Method::POST, "/v1/import", Operate, import::post)
        .scoped(Method::GET, "/v1/margin", Operate, margin::margin)
        .scoped(Method::GET, "/v1/verify", Operate, verify::verify)
        .scoped(Method::POST, "/v1/backup", Operate, backup::backup)
        .scoped(Method::GET, "/v1/retention", Operate, retention::show)
        .scoped(Method::POST, "/v1/retention/run", Operate, retention::run)
        .scoped(Method::GET, "/v1/accounts/{account}/hold", Operate, held::hold)
        .scoped(Method::PUT, "/v1/accounts/{account}/hold", Operate, held::put)
        .scoped(Method::DELETE, "/v1/accounts/{account}/hold", Operate, held::release)
        .scoped(Method::GET, "/v1/accounts/{account}/data", Operate, held::data)
        .scoped(Method::POST, "/v1/accounts/{account}/erase", Operate, held::erase)
}

/// Those of them that the metrics address has, too.
pub(super) fn of_health() -> Routes {
    Routes::default()
        .route(Method::GET, "/healthz", Access::Health, health::alive)
        .route(Method::GET, "/readyz", Access::Health, health::ready)
        .route(Method::GET, "/metrics", Access::Health, health::metrics)
        .route(Method::GET, "/v1/status", Access::Health, health::status)
        .route(Method::GET, "/", Access::Public, page::index)
        .route(Method::GET, "/calls/{node}/{id}", Access::Public, page::call)
        .route(Method::GET, "/page/{file}", Access::Public, page::file)
        .route(Method::GET, "/openapi.json", Access::Public, openapi::document)
}

/// Methods and paths of the API as it is routed.
pub fn routes() -> Vec<(String, &'static str)> {
    api().table.into_iter().map(|(method, path, _)| (method.to_string(), path)).collect()
}

/// Routes, and who may call them.
#[derive(Default)]
pub(super) struct Routes {
    pub router: Router<App>,
    pub table: Vec<(Method, &'static str, Access)>,
}

impl Routes {
    fn scoped<H, T>(self, method: Method, path: &'static str, scope: Scope, handler: H) -> Routes
    where
        H: Handler<T, App>,
        T: 'static,
    {
        self.route(method, path, Access::Scope(scope), handler)
    }

    fn route<H, T>(mut self, method: Method, path: &'static str, access: Access, handler: H) -> Routes
    where
        H: Handler<T, App>,
        T: 'static,
    {
        let filter = match method {
            Method::POST => MethodFilter::POST,
            Method::PUT => MethodFilter::PUT,
            Method::DELETE => MethodFilter::DELETE,
            // GET answers HEAD, too.
            _ => MethodFilter::GET,
        };
        let handler: MethodRouter<App, Infallible> = on(filter, handler);
        self.router = self.router.route(path, handler);
        self.table.push((method, path, access));
        self
    }
}
