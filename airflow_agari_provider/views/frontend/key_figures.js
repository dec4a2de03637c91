/** The key figures of a DAG's page. Figures that do not arrive with the bars are loaded after the bars are drawn. */

import { ApiError, ask } from "./api.js";
import { element } from "./dom.js";
import { figureCards, wallTime } from "./figures.js";
import { errorNotice } from "./notices.js";
import { earlierAddress, triesAddress } from "./permalink.js";

export class KeyFigures {
  constructor() {
    this.cards = element("dl", { class: "cards" });
    this.wall = element("p", { class: "muted wall" });
    this.known = new Map(); // address: figures, number of runs, or an error
  }

  /** Load the figures of the chosen task, and the figures of the earlier runs. @param {object} page a TaskPage. */
  async load(page, again, signal) {
    const { payload, state } = page;
    if (state.task !== null && page.task >= 0) {
      await this.#read(triesAddress(state, state.task), again, signal);
      this.draw(page);
    }
    const earlier = earlierAddress(state, payload.window);
    if (earlier === null || this.known.get(earlier)?.figures) return;
    await this.#read(earlier, again, signal);
    this.draw(page);
  }

  async #read(address, again, signal) {
    const before = this.known.get(address);
    try {
      const answer = await ask(address, { again: again && Boolean(before?.figures), signal });
      if (answer !== null) this.known.set(address, { figures: answer.figures, runs: answer.window.shown });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (!before?.figures) this.known.set(address, { error });
    }
  }

  draw({ payload, state, task }) {
    const own = task < 0 ? payload : this.known.get(triesAddress(state, state.task));
    const earlier = this.known.get(earlierAddress(state, payload.window));
    const before = own?.figures?.before ?? (earlier?.runs === payload.window.shown ? earlier.figures : null);
    this.cards.replaceChildren(
      ...figureCards(own?.figures ? { ...own.figures, before } : null, own?.error ? "–" : "…"),
    );
    this.wall.textContent = own?.error
      ? `The figures of ${state.task} did not come: ${reason(own.error)}`
      : own
        ? wallTime(own.figures)
        : "";
  }
}

function reason({ status, message }) {
  return errorNotice(status, message).text;
}
