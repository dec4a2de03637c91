/** Handle keys on a DAG's page: move from run to run, open the log, zoom in and out. help.js lists all keys. */

import { describeRun } from "./run_panel.js";
import { counted } from "./units.js";

export class RunKeys {
  /** @param {object} page a TaskPage. */
  constructor(page) {
    this.page = page;
    this.run = null; // id of the run that the reader reached with the keys
  }

  /** @returns {boolean} whether the key was handled. */
  press(name) {
    const { charts } = this.page;
    const at = this.#index;
    if (name === "ArrowLeft" || name === "ArrowRight") this.#step(at, name === "ArrowRight" ? 1 : -1);
    else if (name === "+" || name === "-") charts.zoomBy(name === "+" ? 0.5 : 2, at);
    else if (name === "Enter" && at !== null) this.#open(at);
    else return false;
    return true;
  }

  /** Index of the run that the reader reached; null: no run yet, or it is no longer among the runs shown. */
  get #index() {
    const at = this.page.payload.runs.run_id.indexOf(this.run);
    return at < 0 ? null : at;
  }

  #step(from, by) {
    const { charts, payload, state, frame } = this.page;
    const run = charts.runAfter(from, by);
    this.run = payload.runs.run_id[run];
    charts.point(run);
    const tries = this.page.shownOf(run).reduce((sum, index) => sum + payload.tries.instances[index], 0);
    frame.say(`${describeRun(payload, run, state.local)}, ${counted(tries, "try", "tries")}`);
  }

  #open(run) {
    const { page } = this;
    const newest = page.shownOf(run).filter((index) => page.payload.tries.last[index]);
    if (page.task >= 0 && newest.length === 1) page.openLog(newest[0]);
    else page.openRun(run, page.task);
  }
}
