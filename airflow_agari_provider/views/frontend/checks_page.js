/** The page of all checks: which of them somebody should look at. */

import { airflowLink } from "./airflow.js";
import { checkCards, checksSentence, emptyChecks } from "./check_parts.js";
import { checkColumns, checkRows, reportLink, runOfCheck } from "./check_rows.js";
import { choice, searchBox, timeChoice, toggle } from "./controls.js";
import { chosen, DEFAULTS, dataAddress } from "./discrepancies_link.js";
import { CHECKS_HELP } from "./help.js";
import { LoadedPage } from "./loaded_page.js";
import { DAY_COUNTS } from "./permalink.js";
import { found } from "./table.js";
import { TablePart } from "./table_part.js";
import { visible } from "./visible.js";

/** The choice of the days. @param {LoadedPage} page */
export function daysChoice(page) {
  return choice({
    name: "days",
    label: "Checked in",
    options: () => DAY_COUNTS.map((days) => [String(days), days === 1 ? "24 hours" : `${days} days`]),
    value: ({ state }) => String(state.days),
    pick: (days) => page.go({ days: Number(days), until: null, run: null }),
  });
}

/** @param {LoadedPage} page */
export function problemsToggle(page) {
  return toggle({
    name: "problems",
    label: "only problems",
    title: "Only what is not ok",
    value: ({ state }) => state.problems,
    set: (problems) => page.go({ problems, run: null }),
  });
}

export class ChecksPage extends LoadedPage {
  constructor(root, frame) {
    const missing = { title: "The discrepancies are not set up", action: "again" };
    super(root, frame, {
      help: CHECKS_HELP,
      reading: "Reading the checks …",
      missing,
      cards: checkCards(null),
    });
    const search = searchBox({
      label: "Search checks  /",
      value: ({ state }) => state.search,
      set: (text) => this.go({ search: text }, { replace: true }),
    });
    this.checks = new TablePart(
      frame,
      {
        name: "checks",
        title: "Checks",
        onSort: (sort, descending) => this.go({ sort, descending }, { replace: true }),
      },
      this.keep(search),
    );
    this.parts.body.append(this.checks.node);
  }

  shows() {
    return true;
  }

  address(state) {
    return dataAddress(state);
  }

  title({ dag }) {
    return dag === null ? "Discrepancies" : `Discrepancies › ${visible(dag)}`;
  }

  controlsOf() {
    const dags = ({ answer, state }) => [
      ...new Set([...(answer?.dag_ids ?? []), ...(state.dag === null ? [] : [state.dag])]),
    ];
    return [
      choice({
        name: "dag",
        label: "DAG",
        options: (page) => [["", "all DAGs"], ...dags(page).map((dag) => [dag, visible(dag)])],
        value: ({ state }) => state.dag ?? "",
        pick: (dag) => this.go(chosen(dag || null)),
      }),
      daysChoice(this),
      problemsToggle(this),
      timeChoice(this.frame),
    ];
  }

  get remedies() {
    const { local, zone } = this.state;
    return { reset: ["Reset filters", () => this.go({ ...DEFAULTS, local, zone })] };
  }

  draw() {
    const { answer, parts, state } = this;
    const only = answer.checks.task_id.length === 1 && !state.search && !state.problems;
    const rows = checkRows(answer).filter((row) => found(state.search, row.name));
    parts.window.textContent = checksSentence(answer, rows.length, !state.local);
    parts.cards.replaceChildren(...checkCards(answer));
    this.notice(emptyChecks(answer, rows.length, state));
    parts.body.hidden = rows.length === 0;
    const { configuration } = this.frame;
    const columns = checkColumns({
      utc: !state.local,
      link: (row) => this.frame.link(chosen(row.dag, row.task), row.name),
      run: (row) =>
        airflowLink(
          runOfCheck(configuration, row, row.last_run_id),
          { "data-key": `run-${row.name}` },
          row.last_window,
        ),
      report: (row) => reportLink(row.last_report_link, row.last_report_url),
    });
    this.checks.draw(rows, columns, ["checks", state.dag].filter(Boolean).join("-"), state);
    // a DAG's tab shows its only check at once
    if (only && state.dag !== null)
      queueMicrotask(() => this.frame.go(chosen(state.dag, answer.checks.task_id[0]), { replace: true }));
  }
}
