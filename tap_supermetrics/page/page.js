"use strict";
// Draws the page from the data in it. Every text goes in as text, never as markup.
const DATA = JSON.parse(document.getElementById("data").textContent);
const STATES = {
  d: { name: "done", sign: "" },
  e: { name: "done, no rows", sign: "○" },
  p: { name: "done, estimated by the source (sampled)", sign: "≈" },
  s: { name: "stale: there, will be read again", sign: "↻" },
  f: { name: "failed, will be asked again", sign: "✕" },
  m: { name: "missing, not there yet", sign: "–" },
};
const WORST_FIRST = ["f", "m", "s", "p", "e", "d"];
const DAY_MS = 86400000;
const WEEKS = 53;
const ROWS_AT_ONCE = 25;
const WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

const byId = (id) => document.getElementById(id);
const number = (value) => value.toLocaleString("en-US");
const counted = (count, one, many) => `${number(count)} ${count === 1 ? one : many}`;

/** Make an element; children are elements or texts. */
function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** Return a text whose `words in backticks` are code, as children of an element. */
function withCode(text) {
  return text.split("`").map((part, place) => (place % 2 ? make("code", {}, part) : part));
}

function makeSvg(tag, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

// Days

/** Return the letters of "300d2em" as [count, letter] pairs. */
function pairsOf(text) {
  return [...text.matchAll(/(\d*)([depsfm])/g)].map((each) => [Number(each[1] || 1), each[2]]);
}

function countsOf(text) {
  const counts = { d: 0, e: 0, p: 0, s: 0, f: 0, m: 0 };
  for (const [count, letter] of pairsOf(text)) counts[letter] += count;
  return counts;
}

function lettersOf(text) {
  return pairsOf(text).map(([count, letter]) => letter.repeat(count)).join("");
}

const dayNumber = (text) => Date.parse(text) / DAY_MS;
const isoDay = (day) => new Date(day * DAY_MS).toISOString().slice(0, 10);
const weekday = (day) => (((day + 3) % 7) + 7) % 7;

function dayInWords(day) {
  const date = new Date(day * DAY_MS);
  const month = MONTHS[date.getUTCMonth()];
  return `${WEEKDAYS[weekday(day)]} ${date.getUTCDate()} ${month} ${date.getUTCFullYear()}`;
}

/** Return how many accounts have each letter on each day. */
function totalsOf(report, days) {
  const totals = {};
  for (const letter of WORST_FIRST) totals[letter] = new Int32Array(days + 1);
  for (const [, text] of report.accounts) {
    let place = 0;
    for (const [count, letter] of pairsOf(text)) {
      totals[letter][place] += 1;
      place += count;
      totals[letter][Math.min(place, days)] -= 1;
    }
  }
  for (const letter of WORST_FIRST) {
    for (let day = 1; day < days; day += 1) totals[letter][day] += totals[letter][day - 1];
  }
  return totals;
}

// A calendar: weeks across, seven rows, the arrow keys go from day to day

/**
 * @param title caption of the table
 * @param first number of the first day
 * @param days how many there are
 * @param cellOf gives [letter, words, share] of a day, counted from the first; the share of the
 *   cell that is of this letter may be left out
 */
function makeCalendar(title, first, days, cellOf) {
  const box = make("div");
  const told = make("p", { class: "told" }, "Arrow keys go from day to day.");
  const lastWeek = first + days - 1 - weekday(first + days - 1);
  let newest = lastWeek;
  const earlier = make("button", { type: "button" }, "‹ Earlier");
  const later = make("button", { type: "button" }, "Later ›");
  const tools = make("div", { class: "tools" }, earlier, later);
  const place = make("div", { class: "wide" });
  const draw = () => {
    const oldest = newest - 7 * (WEEKS - 1);
    earlier.disabled = oldest <= first;
    later.disabled = newest >= lastWeek;
    place.replaceChildren(makeWeeks(title, first, days, oldest, newest, cellOf, told));
    place.scrollLeft = place.scrollWidth;
  };
  const move = (weeks) => () => { newest = Math.min(newest + 7 * weeks, lastWeek); draw(); };
  earlier.addEventListener("click", move(-WEEKS));
  later.addEventListener("click", move(WEEKS));
  draw();
  box.append(place, told);
  if (days > 7 * (WEEKS - 1)) box.append(tools);
  return box;
}

function makeWeeks(title, first, days, oldestWeek, newestWeek, cellOf, told) {
  const oldest = Math.max(oldestWeek, first - weekday(first));
  const weeks = (newestWeek - oldest) / 7 + 1;
  const table = make("table", { class: "days", role: "grid", "aria-label": title });
  table.append(make("caption", {}, title), makeMonths(oldest, weeks));
  const body = make("tbody");
  let last = null;
  for (let row = 0; row < 7; row += 1) {
    const line = make("tr", {}, make("th", { scope: "row" }, row % 2 ? "" : WEEKDAYS[row]));
    for (let week = 0; week < weeks; week += 1) {
      const day = oldest + 7 * week + row;
      if (day < first || day >= first + days) { line.append(make("td")); continue; }
      const [letter, words, share = 1] = cellOf(day - first);
      const label = `${dayInWords(day)}: ${words}`;
      const attributes = { role: "gridcell", tabindex: -1, "data-s": letter, "aria-label": label };
      const cell = make("td", { ...attributes, "data-day": isoDay(day), title: label }, STATES[letter].sign);
      if (share < 1 && letter !== "d") {
        const part = `${Math.round(100 * share)}%`;
        cell.style.background = `linear-gradient(to top, var(--${letter}) ${part}, var(--d) ${part})`;
      }
      line.append(cell);
      if (!last || cell.dataset.day > last.dataset.day) last = cell;
    }
    body.append(line);
  }
  if (last) last.tabIndex = 0;
  table.append(body);
  table.addEventListener("focusin", (event) => {
    if (event.target.dataset.day) told.textContent = event.target.getAttribute("aria-label");
  });
  table.addEventListener("mouseover", (event) => {
    if (event.target.dataset.day) told.textContent = event.target.getAttribute("aria-label");
  });
  table.addEventListener("keydown", goToDay);
  return table;
}

function makeMonths(oldest, weeks) {
  const line = make("tr", {}, make("td"));
  let before = -1;
  for (let week = 0; week < weeks; week += 1) {
    const month = new Date((oldest + 7 * week) * DAY_MS).getUTCMonth();
    line.append(make("th", { scope: "col" }, month === before ? "" : MONTHS[month]));
    before = month;
  }
  return make("thead", {}, line);
}

const STEPS = { ArrowUp: -1, ArrowDown: 1, ArrowLeft: -7, ArrowRight: 7 };

function goToDay(event) {
  const cell = event.target;
  const days = [...event.currentTarget.querySelectorAll("[data-day]")];
  days.sort((a, b) => (a.dataset.day < b.dataset.day ? -1 : 1));
  const ends = { Home: days[0], End: days[days.length - 1] };
  const to = event.key in STEPS
    ? days[days.indexOf(cell) + STEPS[event.key]]
    : ends[event.key];
  if (!cell.dataset.day || !(event.key in STEPS || event.key in ends)) return;
  event.preventDefault();
  if (!to) return;
  cell.tabIndex = -1;
  to.tabIndex = 0;
  to.focus();
}

// Reports

function drawReports() {
  for (const [letter, state] of Object.entries(STATES)) {
    byId("legend").append(
      make("li", {}, make("i", { "data-s": letter, "aria-hidden": "true" }, state.sign), state.name));
  }
  DATA.reports.forEach((report, index) => {
    const details = make("details", { class: "report", "data-report": report.name });
    details.append(makeSummary(report));
    // Drawn when opened: a page of many reports is there at once.
    details.addEventListener("toggle", () => {
      if (details.open && details.childElementCount === 1) details.append(makeReport(report));
    });
    byId("reports").append(details);
    if (index === 0) details.open = true;
  });
  if (!DATA.reports.length) byId("reports").append(make("p", { class: "card" }, "No report has been read yet."));
}

function shareOf(reports) {
  const there = reports.reduce((sum, each) => sum + each.days_done + each.days_stale, 0);
  const missing = reports.reduce((sum, each) => sum + each.days_missing, 0);
  if (!missing) return "100 %";
  // Rounded down: 100 % is said only of all.
  return `${(Math.floor((there / (there + missing)) * 1000) / 10).toFixed(1)} %`;
}

function makeSummary(report) {
  const source = make("span", { class: "soft" }, report.ds_id);
  const head = make("summary", {}, make("h3", {}, report.name), source);
  if (!report.first) return head.append(make("span", { class: "soft" }, report.note)), head;
  const span = `${counted(report.accounts.length, "account", "accounts")}, ${report.first} to ${report.last}`;
  const share = report.days_missing ? "share failed" : "share ok";
  head.append(
    make("span", { class: "soft" }, span),
    make("span", { class: share }, `${shareOf([report])} of days there`));
  return head;
}

function problemsOf(counts) {
  return [["f", "failed"], ["m", "missing"], ["s", "stale"]]
    .filter(([letter]) => counts[letter])
    .map(([letter, name]) => `${number(counts[letter])} ${name}`)
    .join(", ");
}

function makeReport(report) {
  const inside = make("div", { class: "inside" });
  if (!report.first) return inside.append(make("p", {}, report.note || "Nothing to say of its days.")), inside;
  const first = dayNumber(report.first);
  const days = dayNumber(report.last) - first + 1;
  if (report.accounts.length > 1) {
    const totals = totalsOf(report, days);
    const cellOf = (day) => {
      const found = WORST_FIRST.filter((letter) => totals[letter][day]);
      const words = found.map((each) => `${number(totals[each][day])} ${STATES[each].name.split(/[:,]/)[0]}`
        + (each === "e" ? " without rows" : ""));
      // A problem fills its share of the cell, and is to be seen however small that is.
      const isProblem = "fms".includes(found[0]);
      const most = found.reduce((a, b) => (totals[b][day] > totals[a][day] ? b : a), found[0]);
      const share = isProblem ? totals[found[0]][day] / report.accounts.length : 1;
      return [isProblem ? found[0] : most, words.join("; "), Math.max(0.6, share)];
    };
    const title = `All ${number(report.accounts.length)} accounts: problems first, else what most have`;
    inside.append(makeCalendar(title, first, days, cellOf));
  }
  inside.append(makeAccounts(report, first, days));
  return inside;
}

function makeAccounts(report, first, days) {
  const accounts = report.accounts.map(([id, text, name]) => {
    const counts = countsOf(text);
    return { id, text, name, counts, bad: counts.f + counts.m + counts.s, found: `${id} ${name}`.toLowerCase() };
  });
  accounts.sort((a, b) => b.bad - a.bad);
  const search = make("input", { type: "search", placeholder: "Find an account", "aria-label": `Find an account of ${report.name}` });
  const onlyBad = make("input", { type: "checkbox" });
  const count = make("span", { class: "soft", role: "status" });
  const body = make("tbody");
  const head = make("tr");
  for (const each of ["Account", "Days", "Newest weeks"]) head.append(make("th", { scope: "col" }, each));
  const table = make("table", { class: "list" }, make("thead", {}, head), body);
  const more = make("button", { type: "button" }, "Show more");
  let shown = ROWS_AT_ONCE;
  const draw = () => {
    const wanted = search.value.trim().toLowerCase();
    const found = accounts.filter((each) => each.found.includes(wanted) && (!onlyBad.checked || each.bad));
    body.replaceChildren(...found.slice(0, shown).flatMap((each) => makeAccount(each, first, days)));
    more.hidden = found.length <= shown;
    count.textContent = `${number(Math.min(shown, found.length))} of ${counted(found.length, "account", "accounts")}, those with gaps first`;
  };
  const drawAnew = () => { shown = ROWS_AT_ONCE; draw(); };
  search.addEventListener("input", drawAnew);
  onlyBad.addEventListener("change", drawAnew);
  more.addEventListener("click", () => { shown += 4 * ROWS_AT_ONCE; draw(); });
  draw();
  const only = make("label", {}, onlyBad, " only with gaps");
  const tools = accounts.length > 5 ? [make("div", { class: "tools" }, search, only, count)] : [];
  return make("div", {}, ...tools, make("div", { class: "wide" }, table), more);
}

function makeAccount(account, first, days) {
  const open = make("button", { type: "button", class: "account", "aria-expanded": "false" });
  open.append(account.name || account.id || "All of the source");
  const name = make("td", {}, open);
  if (account.name) name.append(make("div", { class: "soft" }, account.id));
  const done = account.counts.d + account.counts.e + account.counts.p;
  const problems = problemsOf(account.counts);
  const words = make("td", problems ? { class: "problem" } : {}, problems || `${number(done)} done`);
  const row = make("tr", {}, name, words, make("td", {}, makeStrip(account.text)));
  const below = make("tr", { hidden: "" }, make("td", { colspan: 3 }));
  open.addEventListener("click", () => {
    const isOpen = open.getAttribute("aria-expanded") === "true";
    open.setAttribute("aria-expanded", String(!isOpen));
    below.hidden = isOpen;
    if (below.firstChild.childElementCount) return;
    const letters = lettersOf(account.text);
    const cellOf = (day) => [letters[day] || "m", STATES[letters[day] || "m"].name];
    below.firstChild.append(makeCalendar(`Days of ${account.name || account.id}`, first, days, cellOf));
  });
  return [row, below];
}

/** The newest weeks of an account, the worst of each; the words beside it say the same. */
function makeStrip(text) {
  const letters = lettersOf(text);
  const strip = make("div", { class: "strip", "aria-hidden": "true" });
  const weeks = Math.min(Math.ceil(letters.length / 7), WEEKS);
  for (let week = weeks; week > 0; week -= 1) {
    const end = letters.length - 7 * (week - 1);
    const part = letters.slice(Math.max(0, end - 7), end);
    strip.append(make("i", { "data-s": WORST_FIRST.find((each) => part.includes(each)) || "m" }));
  }
  return strip;
}

// In short

function drawHead() {
  // Of shards, the newest run of each; the worst of them speaks for all.
  const last = DATA.runs.filter((each) => each.is_last);
  const run = last.find((each) => each.exit_code) || last[0];
  const ofLast = (name) => last.reduce((sum, each) => sum + each[name], 0);
  const dated = DATA.reports.filter((each) => each.first);
  const missing = dated.reduce((sum, each) => sum + each.days_missing, 0);
  const verdict = !run ? "Which days are there"
    : run.exit_code ? "The last run needs a look"
    : missing ? "The last run was fine; some days are not there yet"
    : "Everything has arrived";
  byId("verdict").textContent = verdict;
  if (run) {
    const shard = run.shard ? ` of shard ${run.shard}` : "";
    const accepted = run.queries_failed ? "Some queries failed, which the settings accept" : "It came to its end";
    byId("subtitle").append(...withCode(`Last run${shard}: ${momentOf(run)}, ${tookOf(run)}. ${run.message || accepted}.`));
  }
  const figures = dated.length ? [[shareOf(dated), "of all days are there", missing ? "bad" : "good"]] : [];
  if (dated.length) figures.push([number(missing), "days missing", missing ? "bad" : ""]);
  if (run) {
    const words = last.length > 1 ? `rows in the last runs of ${last.length} shards` : "rows in the last run";
    figures.push([number(ofLast("rows")), words, ""]);
    figures.push([number(ofLast("queries")), last.length > 1 ? "queries they paid for" : "queries it paid for", ""]);
    figures.push([number(ofLast("queries_failed")), "queries failed", ofLast("queries_failed") ? "bad" : ""]);
  }
  for (const [value, words, kind] of figures) {
    byId("figures").append(make("div", { class: `figure ${kind}` }, make("b", {}, value), make("span", {}, words)));
  }
  const version = run ? `, version ${run.tap_version}` : "";
  byId("footer").textContent = `Made ${DATA.made} by tap-supermetrics${version}. Times are UTC. `
    + "This file holds all that it shows, and asks nothing of any server.";
}

function drawCauses() {
  byId("causes").hidden = !DATA.causes.length;
  for (const cause of DATA.causes) {
    const reach = cause.queries
      ? `${counted(cause.queries, "query", "queries")} of ${counted(cause.places, "account", "accounts")}`
      : counted(cause.places, "report", "reports");
    const card = make("article", { class: "card cause" });
    card.append(make("h3", {}, make("code", {}, cause.code || "The report could not be asked"), ` · ${reach}`));
    if (cause.message) card.append(make("p", {}, ...withCode(`${cause.message}.`)));
    if (cause.advice) card.append(make("p", { class: "todo" }, ...withCode(`What to do: ${cause.advice}.`)));
    const list = make("ul");
    for (const [report, account, days] of cause.examples.slice(0, 5)) {
      list.append(make("li", {}, [report, account, days].filter(Boolean).join(" · ")));
    }
    if (cause.places > 5) list.append(make("li", {}, `and ${number(cause.places - 5)} more`));
    card.append(list);
    byId("causes").append(card);
  }
}

// Runs

const momentOf = (run) => run.started_at.slice(0, 16).replace("T", " ");

function tookOf(run) {
  const seconds = Math.round(run.seconds);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min ${seconds % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function drawRuns() {
  byId("runs").hidden = !DATA.runs.length;
  const heads = ["Started", "Took", "Queries", "Failed", "Rows", "Requests", "Ended"];
  const head = make("tr");
  heads.forEach((each, place) => head.append(make("th", { scope: "col", class: place && place < 6 ? "number" : "" }, each)));
  const body = make("tbody");
  for (const run of DATA.runs.slice(0, 30)) {
    const ended = run.exit_code ? `✕ exit code ${run.exit_code}` : "✓ fine";
    const cells = [momentOf(run), tookOf(run), number(run.queries), number(run.queries_failed), number(run.rows), number(run.requests)];
    const line = make("tr", { "data-run": run.run_id });
    cells.forEach((each, place) => line.append(make("td", { class: place ? "number" : "" }, each)));
    line.append(make("td", { class: run.exit_code ? "failed" : "ok", title: run.message }, ended));
    body.append(line);
  }
  byId("runs-table").append(make("table", { class: "list" }, make("thead", {}, head), body));
  byId("plots").append(makePlot("Queries a day", "queries"), makePlot("Rows a day", "rows"));
}

/** Bars for the last 60 days on which a run began. */
function makePlot(title, key) {
  const byDay = new Map();
  for (const run of DATA.runs) {
    const day = dayNumber(run.started_at.slice(0, 10));
    byDay.set(day, (byDay.get(day) || 0) + run[key]);
  }
  const newest = Math.max(...byDay.keys());
  const oldest = Math.max(Math.min(...byDay.keys()), newest - 59);
  const most = Math.max(1, ...byDay.values());
  const width = 30;
  const days = Math.max(newest - oldest + 1, 14);
  const step = (360 - width) / days;
  const svg = makeSvg("svg", { viewBox: "0 0 370 130", role: "img", "aria-label": `${title}: at most ${number(most)}, last ${number(byDay.get(newest))}` });
  svg.append(makeSvg("line", { x1: 5, x2: 365, y1: 110, y2: 110 }), makeSvg("line", { x1: 5, x2: 365, y1: 20, y2: 20 }));
  svg.append(makeSvg("text", { x: 5, y: 14 }, number(most)));
  svg.append(makeSvg("text", { x: 5, y: 125 }, isoDay(newest - days + 1)));
  svg.append(makeSvg("text", { x: 365, y: 125, "text-anchor": "end" }, isoDay(newest)));
  for (const [day, value] of byDay) {
    if (day < oldest) continue;
    const height = (90 * value) / most;
    const bar = makeSvg("rect", { x: 365 - (newest - day + 1) * step, y: 110 - height, width: step * 0.75, height, rx: 1 });
    bar.append(makeSvg("title", {}, `${isoDay(day)}: ${number(value)}`));
    svg.append(bar);
  }
  return make("figure", { class: "card" }, make("figcaption", {}, title), svg);
}

drawHead();
drawCauses();
drawReports();
drawRuns();
document.documentElement.dataset.ready = String(Math.round(performance.now()));
