"use strict";

// Renews the page from /v1/status. Nothing is kept but a token, and that only as long as the tab.
const EVERY_MS = 2000;
const GUARD_EVERY_MS = 10000;
const byId = (id) => document.getElementById(id);
const say = (id, text) => { const at = byId(id); if (at.textContent !== text) at.textContent = text; };
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const mark = (id, bad) => byId(id).classList.toggle("bad", bad);

const WORDS = {
  no_answer_time: "No answer time",
  ambiguous_time: "Time came twice",
  implausible: "Implausible duration or time",
  unknown_account: "Payer unknown",
  bad_number: "Unreadable number",
  no_rate: "No rate",
  blocked: "Blocked destination",
  before_billing_start: "Before billing starts",
  internal_error: "Internal error",
  unfinished: "End of the call never came",
  period_sealing: "Its month is being sealed",
  conflicts: "Records that contradict an earlier one",
};

// What helps at night: the command, and what to do before it.
const HELPS = {
  no_answer_time: "callrated suspense export --reason no_answer_time --format ndjson",
  ambiguous_time: "callrated suspense export --reason ambiguous_time --format ndjson",
  implausible: "callrated suspense list --reason implausible",
  unknown_account: "add the number or account, then callrated suspense retry --reason unknown_account",
  bad_number: "callrated suspense list --reason bad_number",
  no_rate: "add the row to a deck, then callrated suspense retry --reason no_rate",
  blocked: "callrated suspense list --reason blocked",
  before_billing_start: "nothing, unless the start is wrong: callrated suspense retry --reason before_billing_start",
  internal_error: "tell the developers: callrated suspense export --reason internal_error --format ndjson",
  unfinished: "nothing: it leaves by itself if the end still comes",
  period_sealing: "nothing: it is tried again by itself",
  conflicts: "callrated suspense conflicts, then callrated suspense decide NODE/ID --keep first|second --why …",
};

let before = null;

function verdict(good, text, reasons) {
  byId("state").className = good ? "state good" : "state bad";
  document.body.classList.remove("stale");
  say("verdict", text);
  const list = byId("reasons");
  const now = JSON.stringify(reasons);
  if (list.dataset.shown === now) return;
  list.dataset.shown = now;
  list.replaceChildren(...reasons.map((reason) => {
    const item = document.createElement("li");
    item.textContent = reason;
    return item;
  }));
}

function age(since, now) {
  if (!since) return "";
  const seconds = Math.max(0, Math.floor((Date.parse(now) - Date.parse(since)) / 1000));
  for (const [unit, length] of [["day", 86400], ["hour", 3600], ["minute", 60]]) {
    const count = Math.floor(seconds / length);
    if (count > 0) return count + " " + unit + (count > 1 ? "s" : "") + " (" + clock(since) + ")";
  }
  return "a moment ago";
}

function suspense(waiting, conflicts, now) {
  const items = [...waiting];
  if (conflicts.count > 0) items.push({ reason: "conflicts", ...conflicts });
  byId("nothing").hidden = items.length > 0;
  byId("suspense").hidden = items.length === 0;
  const rows = items.map(({ reason, count, oldest }) => {
    const row = document.createElement("tr");
    for (const text of [WORDS[reason] ?? reason, whole.format(count), age(oldest, now), HELPS[reason] ?? ""]) {
      const cell = document.createElement("td");
      cell.textContent = text;
      row.append(cell);
    }
    return row;
  });
  byId("suspense").tBodies[0].replaceChildren(...rows);
}

const clock = (at) => at.replace("T", " ").replace(/\.\d+Z$|Z$/, " UTC");

function called(sources) {
  byId("called").hidden = sources.length === 0;
  const rows = sources.map(({ name, connected, since, trouble, missed_from, missed_to }) => {
    const row = document.createElement("tr");
    const state = (connected ? "connected since " : "away since ") + clock(since) + (trouble ? ": " + trouble : "");
    const gap = missed_from && clock(missed_from) + " to " + (missed_to ? clock(missed_to) : "now");
    const missed = gap ?? (connected ? "nothing" : "everything so far");
    for (const text of [name.replace("connect:", ""), state, missed]) {
      const cell = document.createElement("td");
      cell.textContent = text;
      row.append(cell);
    }
    return row;
  });
  byId("called").querySelector("tbody").replaceChildren(...rows);
}

function guard(items) {
  byId("guard").hidden = items.length === 0;
  const rows = items.map(({ event }) => {
    const row = document.createElement("tr");
    const level = event.data.level === undefined ? "" : ", " + event.data.level + " %";
    for (const text of [clock(event.timestamp), event.data.rule + level, event.data.summary]) {
      const cell = document.createElement("td");
      cell.textContent = text;
      row.append(cell);
    }
    return row;
  });
  byId("guard").querySelector("tbody").replaceChildren(...rows);
}

// Needs the scope read, and is not there on a metrics address: then nothing is shown.
async function renewGuard() {
  const token = sessionStorage.getItem("token");
  try {
    const response = await fetch("/v1/guard/events?newest=true&limit=10", {
      headers: token ? { Authorization: "Bearer " + token } : {},
      cache: "no-store",
      signal: AbortSignal.timeout(5000),
    });
    guard(response.ok ? (await response.json()).items : []);
  } catch {
    // The state above says that nobody answers.
  }
  setTimeout(renewGuard, GUARD_EVERY_MS);
}

function rate(status) {
  const at = Date.parse(status.at);
  let text = "–";
  if (before && at > before.at && status.records_received >= before.received) {
    const perSecond = (status.records_received - before.received) * 1000 / (at - before.at);
    text = perSecond > 0 && perSecond < 10 ? perSecond.toFixed(1) : whole.format(perSecond);
  }
  before = { at, received: status.records_received };
  return text;
}

function show(status) {
  for (const id of ["facts", "waiting", "force"]) byId(id).hidden = false;
  const reasons = [...status.reasons];
  if (!status.books_balanced) reasons.push("the books do not balance: see callrated_books_unbalanced and the log");
  const away = status.sources.filter((source) => !source.connected);
  reasons.push(...away.map(({ name }) => name.replace("connect:", "") + " is not connected: what it reports is missing"));
  verdict(reasons.length === 0, status.ready ? (reasons.length ? "Taking records, but look" : "Ready") : "Not ready", reasons);
  document.title = reasons.length ? "✗ callrated" : "✓ callrated";
  say("version", "version " + status.version);
  say("rate", rate(status));
  say("received", whole.format(status.records_received) + " since the start");
  say("lag", whole.format(status.lag_records));
  say("store-word", status.store_up ? "up" : "away");
  say("store-note", whole.format(status.legs_rated) + " legs rated since the start");
  mark("store", !status.store_up);
  say("books-word", status.books_balanced ? "balanced" : "not balanced");
  say("books-note", status.books_balanced ? "at the last flush" : "charges may be wrong");
  mark("books", !status.books_balanced);
  say("dropped", whole.format(status.udp_dropped));
  say("gaps", whole.format(status.sequence_gaps) + " numbers skipped by senders");
  mark("udp", status.udp_dropped > 0);
  byId("margin-box").hidden = status.below_margin === 0;
  say("below", whole.format(status.below_margin));
  mark("margin-box", status.below_margin > 0);
  say("refused", whole.format(status.records_refused));
  suspense(status.suspense, { count: status.conflicts, oldest: status.conflicts_oldest }, status.at);
  called(status.sources);
  say("tariff", status.tariff ?? "none");
  say("prefixes", whole.format(status.prefixes) + " prefixes");
  say("directory", status.directory ?? "none");
  say("accounts", whole.format(status.accounts) + " accounts");
  say("at", "as of " + clock(status.at));
}

async function renew() {
  const token = sessionStorage.getItem("token");
  try {
    const response = await fetch("/v1/status", {
      headers: token ? { Authorization: "Bearer " + token } : {},
      cache: "no-store",
      signal: AbortSignal.timeout(5000),
    });
    byId("let-in").hidden = response.status !== 401;
    if (response.ok) {
      show(await response.json());
    } else {
      const problem = await response.json().catch(() => ({}));
      verdict(false, response.status === 401 ? "Token needed" : "No answer", [problem.detail ?? "status " + response.status]);
      document.body.classList.add("stale");
    }
  } catch {
    before = null;
    document.title = "✗ callrated";
    verdict(false, "No answer", ["the daemon cannot be reached: it is stopped, starting, or the network is away"]);
    document.body.classList.add("stale");
  }
  setTimeout(renew, EVERY_MS);
}

byId("let-in").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("token", byId("token").value.trim());
  byId("token").value = "";
});

byId("look-up").addEventListener("submit", (event) => {
  event.preventDefault();
  const [node, ...rest] = byId("call").value.trim().split("/");
  location.href = "/calls/" + encodeURIComponent(node) + "/" + encodeURIComponent(rest.join("/"));
});

renew();
renewGuard();
