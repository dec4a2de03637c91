/** The silences: which there are, and how to set and end them. */

import { ApiError, ask, send } from "./api.js";
import { iso } from "./csv.js";
import { element } from "./dom.js";
import { keepFocus } from "./focus.js";
import { errorNotice } from "./notices.js";
import { TablePart } from "./table_part.js";
import { epochOf, moment, zone } from "./units.js";

const ADDRESS = "api/silences";
const USUAL = 7200; // seconds: what the form suggests

export class SilencesPart {
  /** @param {object} frame as for TaskPage. @param {object} page the page of the alerts, with its state and time. */
  constructor(frame, page) {
    this.frame = frame;
    this.page = page;
    this.answer = null;
    this.open = element(
      "button",
      {
        type: "button",
        "data-control": "silence",
        "aria-expanded": "false",
        "aria-controls": "new-silence",
        on: { click: () => this.#toggle(this.form.hidden) },
      },
      "Silence alerts …",
    );
    this.table = new TablePart(
      frame,
      { name: "silences", title: "Silences", firstOrder: { sort: "until", descending: false } },
      this.open,
    );
    this.none = element("p", { class: "muted" }, "Nothing is silenced.");
    this.form = this.#form();
    this.node = this.table.node;
    this.node.hidden = true;
    this.node.insertBefore(this.form, this.table.body);
    this.node.insertBefore(this.none, this.table.body);
  }

  #form() {
    const input = (name, type, properties) =>
      element("input", { type, name, "data-control": `new-${name}`, ...properties });
    this.fields = {
      dag_id: input("dag_id", "text", { required: true, list: "editable-dags", maxlength: "250", autocomplete: "off" }),
      task_id: input("task_id", "text", { required: true, value: "*", maxlength: "250", autocomplete: "off" }),
      since: input("since", "datetime-local", {}),
      until: input("until", "datetime-local", { required: true }),
      why: input("why", "text", { required: true, maxlength: "1000", autocomplete: "off" }),
    };
    const labels = {
      dag_id: "DAG",
      task_id: "Task (* is all)",
      since: "From (empty: now)",
      until: "Until",
      why: "Why",
    };
    this.dags = element("datalist", { id: "editable-dags" });
    this.hint = element("p", { class: "muted" });
    this.problem = element("p", { class: "problem", role: "alert" });
    const submit = (event) => {
      event.preventDefault();
      this.#add();
    };
    return element(
      "form",
      { id: "new-silence", class: "panel", hidden: true, "aria-label": "New silence", on: { submit } },
      element(
        "div",
        { class: "row" },
        ...Object.entries(this.fields).map(([name, field]) =>
          element("label", { class: "field" }, element("span", {}, labels[name]), field),
        ),
        element("button", { type: "submit", class: "primary", "data-control": "set-silence" }, "Silence"),
      ),
      this.dags,
      this.hint,
      this.problem,
    );
  }

  #toggle(open) {
    this.form.hidden = !open;
    this.open.setAttribute("aria-expanded", String(open));
    this.problem.textContent = "";
    if (!open) return;
    const { dag_id: dag, until } = this.fields;
    dag.value ||= this.page.state.dag ?? "";
    until.value ||= moment(this.page.now + USUAL, !this.page.state.local).replace(" ", "T");
    (dag.value ? this.fields.why : dag).focus();
  }

  /** Read the silences. If that fails, the page without them says why. */
  async load(again = false) {
    try {
      this.answer = (await ask(ADDRESS, { again })) ?? this.answer;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    }
    keepFocus(() => this.draw());
  }

  draw() {
    const { answer, page } = this;
    this.node.hidden = answer === null;
    if (answer === null) return;
    const utc = !page.state.local;
    const { silences, dag_ids: dags, may_silence_all: all, environment } = answer;
    const rows = silences.id.map((_, at) =>
      Object.fromEntries(Object.entries(silences).map(([name, values]) => [name, values[at]])),
    );
    this.open.hidden = dags.length === 0 && !all;
    this.dags.replaceChildren(...dags.map((value) => element("option", { value })));
    const patterns = all ? " A DAG or task may be a pattern with * and ?." : " A task may be a pattern with * and ?.";
    const limit = environment ? ` Only alerts of ${environment} are silenced.` : "";
    this.hint.textContent = `Times are in ${zone(utc)}. The task __dag_run__ is the run itself.${patterns}${limit} What is still late at the end is told then.`;
    this.none.hidden = rows.length > 0;
    this.table.body.hidden = rows.length === 0;
    this.table.draw(rows, this.#columns(utc), "silences");
  }

  #columns(utc) {
    const text = (key, title, hint) => ({ key, title, hint, left: true, value: (row) => row[key] });
    const time = (key, title, hint) => ({
      ...text(key, title, hint),
      csv: [[key, (row) => iso(row[key])]],
      text: (row) => moment(row[key], utc),
    });
    return [
      {
        ...text("dag_id", "silenced", "DAG and task, or patterns of them"),
        name: true,
        csv: ["id", "dag_id", "task_id", "environment"].map((name) => [name, (row) => row[name]]),
        text: (row) => `${row.dag_id} › ${row.task_id}`,
      },
      time("since", "from", "When it begins"),
      time("until", "until", "When it ends by itself"),
      text("who", "who", "Who made it"),
      text("why", "why", "The reason"),
      {
        ...text("may_end", "end", "Whether you may end it"),
        csv: [],
        text: () => "",
        node: (row) => (row.may_end ? this.#endButton(row) : ""),
      },
    ];
  }

  #endButton({ id, dag_id: dag, task_id: task }) {
    const label = `End the silence of ${dag} › ${task}`;
    const press = () =>
      this.#change(`${ADDRESS}/${id}/end`, {}, "The silence is over. What is still late is told now.");
    return element(
      "button",
      { type: "button", "aria-label": label, "data-key": `end-${id}`, on: { click: press } },
      "End",
    );
  }

  async #add() {
    const utc = !this.page.state.local;
    const { dag_id, task_id, since, until, why } = this.fields;
    const body = {
      dag_id: dag_id.value.trim(),
      task_id: task_id.value.trim(),
      since: since.value ? epochOf(since.value, utc) : null,
      until: epochOf(until.value, utc),
      why: why.value.trim(),
    };
    if (!(await this.#change(ADDRESS, body, `${body.dag_id} is silenced until ${until.value.replace("T", " ")}.`)))
      return;
    for (const field of [since, until, why]) field.value = "";
    this.#toggle(false);
    this.open.focus();
  }

  /** Send a change, and read the silences again. @returns {Promise<boolean>} whether the server took it. */
  async #change(address, body, done) {
    this.problem.textContent = "";
    try {
      const { csrf_token: token } = await ask(ADDRESS); // it may be hours since the page was opened
      await send(address, body, token);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const { title, text } = errorNotice(error.status, error.message);
      this.problem.textContent = error.message || `${title}. ${text}`;
      if (this.form.hidden) this.frame.tell(this.problem.textContent);
      return false;
    }
    this.frame.tell(done);
    await this.load();
    return true;
  }
}
