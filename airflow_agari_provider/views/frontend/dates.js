/** Controls to go to a date: a first and a last day, and a calendar that is loaded when it is opened. */

import { ApiError, ask } from "./api.js";
import { calendar, dayAfter, startOfDay } from "./calendar.js";
import { dateField } from "./controls.js";
import { element } from "./dom.js";
import { keepFocus } from "./focus.js";
import { errorNotice } from "./notices.js";
import { moment, zone } from "./units.js";

const FROM_THERE = { before: null, after: null, from: null, to: null };

/** @param {object} page a TaskPage. @returns {object[]} controls. */
export function dateControls(page) {
  const pick = (since, until) => page.go({ ...FROM_THERE, since, until });
  const date = (moments) => (moments === null ? "" : moment(moments, !page.state.local).slice(0, 10));
  const at = (text) => (text ? startOfDay(text, !page.state.local) : null);
  return [
    dateField({
      name: "since",
      label: "From",
      value: ({ state }) => date(state.since),
      set: (text) => pick(at(text), page.state.until),
    }),
    dateField({
      name: "until",
      label: "To",
      value: ({ state }) => date(state.until === null ? null : state.until - 1),
      set: (text) => pick(page.state.since, at(text && dayAfter(text))),
    }),
    new CalendarBox(page, pick),
  ];
}

class CalendarBox {
  constructor(page, pick) {
    this.page = page;
    this.pick = pick;
    this.node = element("div", { class: "calendar-box" });
    this.address = null;
  }

  sync() {
    const folded = this.node.closest("details");
    if (folded && !this.listening) folded.addEventListener("toggle", () => this.sync());
    this.listening = Boolean(folded);
    if (!folded?.open) return;
    if (this.address === this.#wanted) this.#draw();
    else this.#load();
  }

  get #wanted() {
    const { dag, state } = this.page;
    return `api/dags/${encodeURIComponent(dag)}/days?time_zone=${encodeURIComponent(zone(!state.local))}`;
  }

  async #load() {
    const address = this.#wanted;
    this.address = address;
    this.answer = null;
    this.node.textContent = "Reading the days …";
    try {
      const answer = await ask(address);
      if (address !== this.address) return;
      this.answer = answer;
      this.#draw();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.node.textContent = `The calendar did not come: ${errorNotice(error.status, error.message).text}`;
    }
  }

  #draw() {
    const { state } = this.page;
    if (this.answer) keepFocus(() => this.node.replaceChildren(calendar(this.answer, state, this.pick)));
  }
}
