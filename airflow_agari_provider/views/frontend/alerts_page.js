/** The page of the alerts: what is open, who was told, and how often each SLA was met. */

import { airflowLink, outsideLink, pageLink, runAddress } from "./airflow.js";
import { alertsAddress, DEFAULTS, MOST_LISTED, needsAll, SHOWN, windowChange, windows } from "./alerts_link.js";
import { alertCards, dayBars, emptyAlerts, windowSentence } from "./alerts_parts.js";
import { missColumns, missRows, slaColumns, slackAddress, slaRows } from "./alerts_rows.js";
import { choice, searchBox, timeChoice } from "./controls.js";
import { element } from "./dom.js";
import { ALERTS_HELP } from "./help.js";
import { LoadedPage } from "./loaded_page.js";
import { SilencesPart } from "./silences_part.js";
import { TablePart } from "./table_part.js";

const ALL = "";

export class AlertsPage extends LoadedPage {
  everything = false; // whether all misses are asked for, not only the first ones of the list

  /** @param {object} frame as for TaskPage. */
  constructor(root, frame) {
    super(root, frame, {
      help: ALERTS_HELP,
      reading: "Reading the alerts …",
      missing: { title: "The alerts are not set up", action: "again" },
      cards: alertCards(null),
    });
    const search = this.keep(
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
        whole: () => this.#loadAll(),
      },
      search,
    );
    this.slas = new TablePart(frame, {
      name: "slas",
      title: "SLAs that were missed",
      firstOrder: { sort: "missed", descending: true },
    });
    this.silences = new SilencesPart(frame, this);
    this.parts.days = element("div", {});
    this.parts.body.append(this.misses.node, this.slas.node, element("h2", {}, "Misses of each day"), this.parts.days);
    root.append(this.silences.node);
  }

  address(state) {
    return alertsAddress(state, this.everything);
  }

  title({ dag }) {
    return dag === null ? "Alerts" : `Alerts › ${dag}`;
  }

  tabTitle({ dag }) {
    return dag === null ? "Alerts" : `${dag} · alerts`;
  }

  controlsOf() {
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
        answered(({ misses, slas }) => [...misses.owner, ...slas.owner].filter(Boolean)),
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
    ];
  }

  update(state) {
    const other = !this.state || alertsAddress(state) !== alertsAddress(this.state);
    const more = !other && !this.everything && needsAll(state) && this.answer?.counts.unlisted > 0;
    this.everything = other ? needsAll(state) : this.everything || more;
    super.update(state);
    if (more) this.load();
    this.silences.draw();
  }

  /** Load the misses that the list leaves out too. @returns {Promise<boolean>} whether all that the server lists are there. */
  async #loadAll() {
    this.everything = true;
    await this.load();
    const { unlisted, listed } = this.answer?.counts ?? {};
    return unlisted === 0 || listed === MOST_LISTED;
  }

  loaded(again) {
    this.silences.load(again);
  }

  get remedies() {
    const { dag, local, zone } = this.state;
    return { reset: ["Reset filters", () => this.go({ ...DEFAULTS, dag, local, zone })] };
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

  draw() {
    const { answer, parts, rows, state } = this;
    const utc = !state.local;
    parts.window.textContent = windowSentence(answer, rows.length, utc);
    parts.cards.replaceChildren(...alertCards(answer));
    this.notice(emptyAlerts(answer, rows.length, state));
    parts.body.hidden = answer.counts.listed === 0;
    this.misses.node.hidden = rows.length === 0;
    const environments = new Set(answer.misses.environment).size > 1;
    const name = ["alerts", state.dag, state.month || `${state.days}-days`].filter(Boolean).join("-");
    const columns = missColumns({ utc, environments, ...this.#leads });
    this.misses.draw(rows, columns, name, state, answer.counts.unlisted);
    this.slas.node.hidden = answer.slas.dag_id.length === 0;
    this.slas.draw(slaRows(answer), slaColumns({ environments, link: (row) => this.#charts(row) }), `${name}-slas`);
    parts.days.replaceChildren(...dayBars(answer));
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
}
