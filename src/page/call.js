"use strict";

// The proof of one call: /calls/NODE/ID?lang=de. Nothing is kept but a token, and that only as long as the tab.
const byId = (id) => document.getElementById(id);
const WORDS = {
  en: {
    call: "Call", leg: { outbound: "Outgoing leg", inbound: "Incoming leg" }, account: "Account", month: "Billed in", cost: "Cost",
    words: "Why it costs that", steps: "Each decision with its rule", raw: "The record as it came", kept: "What is kept of the record decided: it is no longer in the journal.",
    proved: "Derived anew from the record, it comes to the stored amount, to the digit.", differs: "It does not come to what is stored:",
    revision: "Correction", token: "Token needed", failed: "No answer", print: "Print", field: "Field", stored: "stored", derived: "derived",
  },
  de: {
    call: "Anruf", leg: { outbound: "Ausgehender Anruf", inbound: "Eingehender Anruf" }, account: "Konto", month: "Berechnet in", cost: "Kosten",
    words: "Warum er so viel kostet", steps: "Jede Entscheidung mit ihrer Regel (englisch)", raw: "Der Datensatz, wie er kam", kept: "Entschieden hat, was vom Datensatz aufbewahrt wird: Er steht nicht mehr im Journal.",
    proved: "Aus dem Datensatz neu hergeleitet ergibt sich der gespeicherte Betrag, auf die Stelle genau.", differs: "Es ergibt sich nicht, was gespeichert ist:",
    revision: "Korrektur", token: "Zugangsschlüssel nötig", failed: "Keine Antwort", print: "Drucken", field: "Feld", stored: "gespeichert", derived: "hergeleitet",
  },
  it: {
    call: "Chiamata", leg: { outbound: "Chiamata in uscita", inbound: "Chiamata in entrata" }, account: "Conto", month: "Addebitata in", cost: "Costo",
    words: "Perché costa così", steps: "Ogni decisione con la sua regola (in inglese)", raw: "Il record come è arrivato", kept: "Ha deciso ciò che si conserva del record: non è più nel giornale.",
    proved: "Ricavato di nuovo dal record, dà l'importo registrato, alla cifra.", differs: "Non dà ciò che è registrato:",
    revision: "Correzione", token: "Serve una chiave", failed: "Nessuna risposta", print: "Stampa", field: "Campo", stored: "registrato", derived: "ricavato",
  },
};

const asked = new URLSearchParams(location.search).get("lang");
const guessed = (navigator.language || "en").slice(0, 2);
const language = WORDS[asked] ? asked : WORDS[guessed] ? guessed : "en";
const say = WORDS[language];
// As it stands in the address: node and id stay encoded, so that an id may hold a slash.
const [node, ...rest] = location.pathname.replace(/^\/calls\//, "").split("/");
const id = rest.join("/");

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined && text !== null) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function list(name, items) {
  const made = element(name);
  made.append(...items);
  return made;
}

function pairs(rows) {
  const made = element("dl", null, "pairs");
  for (const [term, value] of rows) {
    const row = element("div");
    row.append(element("dt", term), element("dd", value));
    made.append(row);
  }
  return made;
}

function leg(shown) {
  const made = element("section", null, "proof");
  made.append(element("h2", say.leg[shown.direction] ?? shown.direction));
  const rows = [[say.account, shown.account], [say.month, shown.period], [say.cost, shown.currency + " " + shown.cost]];
  if (shown.revision > 0) rows.push([say.revision, String(shown.revision)]);
  made.append(pairs(rows));
  const proved = element("p", shown.proved ? say.proved : say.differs, shown.proved ? "proved" : "differs");
  made.append(proved);
  if (!shown.proved) {
    made.append(list("ul", shown.differences.map((one) =>
      element("li", one.field + ": " + say.stored + " " + one.stored + ", " + say.derived + " " + one.derived))));
  }
  if (shown.words.length > 0) {
    made.append(element("h3", say.words), list("ol", shown.words.map((sentence) => element("li", sentence))));
  }
  const steps = element("table", null, "steps");
  const body = steps.createTBody();
  shown.proof.forEach((line, at) => {
    const row = body.insertRow();
    row.append(element("td", String(at + 1)), element("td", line.rule), element("td", line.text));
  });
  made.append(element("h3", say.steps), steps, element("h3", say.raw));
  made.append(shown.raw === null ? element("p", say.kept) : element("pre", shown.raw));
  return made;
}

function verdict(good, text) {
  byId("state").className = good ? "state good" : "state bad";
  byId("verdict").textContent = text;
}

async function ask() {
  document.documentElement.lang = language;
  const name = decodeURIComponent(node) + "/" + decodeURIComponent(id);
  document.title = name + " – callrated";
  byId("which").textContent = say.call + " " + name;
  for (const link of byId("languages").children) link.toggleAttribute("aria-current", link.dataset.lang === language);
  const token = sessionStorage.getItem("token");
  try {
    const response = await fetch("/v1/calls/" + node + "/" + encodeURIComponent(decodeURIComponent(id)) + "/explain?lang=" + language, {
      headers: token ? { Authorization: "Bearer " + token } : {},
      cache: "no-store",
      signal: AbortSignal.timeout(30000),
    });
    byId("let-in").hidden = response.status !== 401;
    const answer = await response.json().catch(() => ({}));
    if (!response.ok) {
      verdict(false, response.status === 401 ? say.token : answer.detail ?? "status " + response.status);
      return;
    }
    const proved = answer.legs.every((one) => one.proved);
    const costs = answer.legs.map((one) => one.currency + " " + one.cost).join(", ");
    verdict(proved, costs);
    byId("legs").replaceChildren(...answer.legs.map(leg));
    const print = element("button", say.print, "no-print");
    print.addEventListener("click", () => window.print());
    byId("legs").append(print);
  } catch {
    verdict(false, say.failed);
  }
}

byId("let-in").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("token", byId("token").value.trim());
  byId("token").value = "";
  ask();
});

ask();
