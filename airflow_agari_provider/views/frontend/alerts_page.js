/** The page of the alerts: what is open, who was told, and how often each SLA was met. */

import { airflowLink, openAirflow, outsideLink, pageLink, runAddress } from "./airflow.js";
import { alertsAddress, DEFAULTS, SHOWN, windowChange, windows } from "./alerts_link.js";
import { alertCards, dayBars, emptyAlerts, windowSentence } from "./alerts_parts.js";
import { missColumns, missRows, slaColumns, slackAddress, slaRows } from "./alerts_rows.js";
import { ApiError, ask } from "./api.js";
import { action, choice, noticeBox, searchBox, timeChoice } from "./controls.js";
import { element } from "./dom.js";
import { copyLink } from "./exports.js";
import { keepFocus } from "./focus.js";
import { ALERTS_HELP, showHelp } from "./help.js";
import { errorNotice, staleNotice } from "./notices.js";
import { SilencesPart } from "./silences_part.js";
import { TablePart } from "./table_part.js";

const ALL = "";

export class AlertsPage {
  /** @param {object} frame as for TaskPage. */
  constructor(root, frame) {
    this.frame = frame;
    this.go = frame.go;
    this.help = ALERTS_HELP;
    this.controls = [];
    const links = this.#links();
    const search = this.#keep(
      searchBox({
        label: "Search misses  /",
        value: ({ state }) => state.search,
        set: (text) => this.go({ search: text }, { replace: true }),
      }),
    );
    this.misses = new TablePart(
      frame,
      {
        name: "misses",
        title: "Misses",
        onSort: (sort, descending) => this.go({ sort, descending }, { replace: true }),
      },
      search,
    );
    this.slas = new TablePart(frame, {
      name: "slas",
      title: "SLAs that were missed",
      firstOrder: { sort: "missed", descending: true },
    });
    this.silences = new SilencesPart(frame, this);
    this.parts = {
      window: element("p", { class: "muted window", role: "status" }),
      stale: element("p", { class: "stale", role: "status", hidden: true }),
      notice: element("div", {}),
      cards: element("dl", { class: "cards" }, ...alertCards(null)),
      days: element("div", {}),
      body: element("div", { hidden: true }),
    };
    this.heading = element("h1", { tabindex: "-1", "data-key": "title" }, "Alerts");
    this.parts.body.append(this.misses.node, this.slas.node, element("h2", {}, "Misses of each day"), this.parts.days);
    root.replaceChildren(
      element("header", { class: "top" }, element("div", {}, this.heading, this.parts.window), links),
      element("div", { class: "bar" }, element("div", { class: "row" }, ...this.#choices())),
      this.parts.stale,
      this.parts.cards,
      this.parts.notice,
      this.parts.body,
      this.silences.node,
    );
  }

  #keep(control) {
    this.controls.push(control);
    return control.node;
  }

  #links() {
    const link = action({ name: "link", label: "Copy link", press: () => copyLink(this) });
    const help = action({ name: "help", label: "?", title: "Keys", press: () => showHelp(this.help) });
    return element("nav", { "aria-label": "This page" }, this.#keep(link), this.#keep(help));
  }

  #choices() {
    const answered =
      (values) =>
      ({ answer, state }, chosen) => {
        const found = answer ? values(answer) : [];
        return [...new Set([...found, ...(state[chosen] ? [state[chosen]] : [])])].sort();
      };
    const one = (name, label, every, values, change) =>
      choice({
        name,
        label,
        options: (page) => [[ALL, every], ...values(page, name).map((value) => [value, value])],
        value: ({ state }) => state[name] ?? ALL,
        pick: (value) => this.go(change(value)),
      });
    return [
      choice({
        name: "window",
        label: "Window",
        options: ({ now }) => windows(now),
        value: ({ state }) => state.month || String(state.days),
        pick: (value) => this.go(windowChange(value)),
      }),
      choice({
        name: "show",
        label: "Show",
        options: () => SHOWN.map(([value, text]) => [value, text]),
        value: ({ state }) => state.show,
        pick: (show) => this.go({ show }),
      }),
      one(
        "dag",
        "DAG",
        "all DAGs",
        answered(({ dag_ids }) => dag_ids),
        (dag) => ({ dag: dag || null }),
      ),
      one(
        "owner",
        "Owner",
        "all owners",
        answered(({ misses }) => misses.owner.filter(Boolean)),
        (owner) => ({ owner }),
      ),
      one(
        "service",
        "Service",
        "all services",
        answered(({ misses }) => misses.told.flat().map((told) => told.service)),
        (service) => ({ service }),
      ),
      timeChoice(this.frame),
    ].map((control) => this.#keep(control));
  }

  /** Seconds since the epoch: of the data, or of this computer before there is any. */
  get now() {
    return this.answer?.now ?? Date.now() / 1000;
  }

  update(state) {
    const before = this.state && alertsAddress(this.state);
    this.state = state;
    this.heading.textContent = state.dag === null ? "Alerts" : `Alerts › ${state.dag}`;
    document.title = state.dag === null ? "Alerts" : `${state.dag} · alerts`;
    this.#sync();
    this.silences.draw();
    if (this.answer && before === alertsAddress(state)) this.#render();
    else this.load();
  }

  /** @param {boolean} again a refresh: the page keeps what it shows until newer data arrives. */
  async load(again = false) {
    clearTimeout(this.timer);
    this.abort?.abort();
    const abort = new AbortController();
    this.abort = abort;
    this.parts.window.classList.toggle("busy", !again);
    if (!this.answer) this.parts.window.textContent = "Reading the alerts …";
    try {
      const answer = await ask(alertsAddress(this.state), { again, signal: abort.signal });
      this.answer = answer ?? this.answer;
      this.#tell(null);
      this.#render();
      this.silences.load(again);
    } catch (error) {
      if (error.name === "AbortError") return;
      if (!(error instanceof ApiError)) throw error;
      if (again && this.answer) this.#tell(staleNotice(error, this.answer.now, this.state.local));
      else keepFocus(() => this.#fail(error));
    } finally {
      if (this.abort === abort) this.parts.window.classList.remove("busy");
    }
    this.#refreshLater();
  }

  #refreshLater() {
    const later = () => (document.hidden ? this.#refreshLater() : this.load(true));
    this.timer = setTimeout(later, this.frame.configuration.refresh_seconds * 1000);
  }

  /** Show a line above the figures; null: hide it. */
  #tell(text) {
    this.parts.stale.hidden = text === null;
    this.parts.stale.textContent = text ?? "";
  }

  #sync() {
    this.controls.forEach((control) => control.sync(this));
  }

  #fail({ status, message }) {
    const known = { 404: { title: "The alerts are not set up", action: "again" } }[status];
    const { title, text, action } = { ...errorNotice(status, message), ...known };
    this.answer = null;
    this.#tell(null);
    this.#sync();
    this.parts.window.textContent = "";
    this.parts.cards.hidden = true;
    this.parts.body.hidden = true;
    this.#notice({ title, text, action });
  }

  #notice(notice) {
    const remedies = {
      reset: [
        "Reset filters",
        () => this.go({ ...DEFAULTS, dag: this.state.dag, local: this.state.local, zone: this.state.zone }),
      ],
      "log in": ["Log in", () => openAirflow(this.frame.configuration.root)],
    };
    const again = ["Try again", () => this.load()];
    const remedy = notice?.action ? (remedies[notice.action] ?? again) : [];
    this.parts.notice.replaceChildren(...(notice ? [noticeBox(notice, ...remedy)] : []));
  }

  get rows() {
    const { owner, service, show, search } = this.state;
    const wanted = search.toLowerCase();
    const [, , isShown] = SHOWN.find(([value]) => value === show);
    return missRows(this.answer).filter(
      (row) =>
        isShown(row) &&
        (!owner || row.owner === owner) &&
        (!service || row.told.some((told) => told.service === service)) &&
        `${row.name} ${row.run}`.toLowerCase().includes(wanted),
    );
  }

  #render() {
    keepFocus(() => this.#draw());
  }

  #draw() {
    const started = performance.now();
    const { answer, parts, rows, state } = this;
    const utc = !state.local;
    this.#sync();
    parts.window.textContent = windowSentence(answer, rows.length, utc);
    parts.cards.hidden = false;
    parts.cards.replaceChildren(...alertCards(answer));
    this.#notice(emptyAlerts(answer, rows.length, state));
    parts.body.hidden = answer.counts.listed === 0;
    this.misses.node.hidden = rows.length === 0;
    const environments = new Set(answer.misses.environment).size > 1;
    const name = ["alerts", state.dag, state.month || `${state.days}-days`].filter(Boolean).join("-");
    this.misses.draw(rows, missColumns({ utc, environments, ...this.#leads }), name, state);
    this.slas.node.hidden = answer.slas.dag_id.length === 0;
    this.slas.draw(slaRows(answer), slaColumns({ environments, link: (row) => this.#charts(row) }), `${name}-slas`);
    parts.days.replaceChildren(...dayBars(answer));
    performance.measure("agari-draw", { start: started, end: performance.now() });
  }

  get #leads() {
    const { configuration } = this.frame;
    const to = (row, taskId, text) =>
      row.run
        ? airflowLink(
            runAddress(configuration, { dagId: row.dag, runId: row.run, taskId }),
            { "data-key": `${taskId ?? "run"}-${row.name}-${row.run}-${row.due}` },
            text,
          )
        : element("span", {}, text);
    return {
      link: (row) => to(row, row.task, row.name),
      run: (row) => to(row, null, row.run || "–"),
      message: (told, text) => {
        const address = slackAddress(told, configuration.slack_url);
        return address ? outsideLink(address, { title: "Open in Slack" }, text) : element("span", {}, text);
      },
    };
  }

  #charts({ dag, task, name }) {
    const query = new URLSearchParams({ dag_id: dag, ...(task ? { task_id: task } : {}) });
    return pageLink(this.frame.configuration, "charts", query.toString(), { "data-key": `charts-${name}` }, name);
  }

  key() {
    return false;
  }

  recolour() {} // the style sheet sets all colours of this page

  close() {
    clearTimeout(this.timer);
    this.abort?.abort();
  }
}
