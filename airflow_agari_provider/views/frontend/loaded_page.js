/** A page of what the server tells about one address: it asks, asks again from time to time, and says what is wrong. */

import { openAirflow } from "./airflow.js";
import { ApiError, ask } from "./api.js";
import { action, noticeBox } from "./controls.js";
import { element } from "./dom.js";
import { copyLink } from "./exports.js";
import { keepFocus } from "./focus.js";
import { showHelp } from "./help.js";
import { errorNotice, staleNotice } from "./notices.js";

export class LoadedPage {
  /**
   * A page has, beside this: ``address(state)``, ``title(state)``, ``controlsOf()``, ``draw()``, ``remedies``.
   *
   * @param {object} frame as for TaskPage.
   * @param {object} options ``help``; ``reading``: what the page says while it waits; ``missing``: title of the notice
   *   for status 404; ``cards``: those that are shown before there is an answer.
   */
  constructor(root, frame, { help, reading, missing, cards }) {
    Object.assign(this, { frame, help, reading, missing });
    this.go = frame.go;
    this.controls = [];
    this.heading = element("h1", { tabindex: "-1", "data-key": "title" });
    this.parts = {
      window: element("p", { class: "muted window", role: "status" }),
      stale: element("p", { class: "stale", role: "status", hidden: true }),
      notice: element("div", {}),
      cards: element("dl", { class: "cards" }, ...cards),
      body: element("div", { hidden: true }),
    };
    const bar = element("div", { class: "row" }, ...this.controlsOf().map((control) => this.keep(control)));
    root.replaceChildren(
      element("header", { class: "top" }, element("div", {}, this.heading, this.parts.window), this.#links()),
      element("div", { class: "bar" }, bar),
      this.parts.stale,
      this.parts.cards,
      this.parts.notice,
      this.parts.body,
    );
  }

  keep(control) {
    this.controls.push(control);
    return control.node;
  }

  #links() {
    const link = action({ name: "link", label: "Copy link", press: () => copyLink(this) });
    const help = action({ name: "help", label: "?", title: "Keys", press: () => showHelp(this.help) });
    return element("nav", { "aria-label": "This page" }, ...this.places(), this.keep(link), this.keep(help));
  }

  /** Links in the page's head. @returns {Node[]} */
  places() {
    return [];
  }

  /** Title of the browser's tab. */
  tabTitle(state) {
    return this.title(state);
  }

  /** Called when an answer was drawn. @param {boolean} _again as for ``load``. */
  loaded(_again) {}

  /** Seconds since the epoch: of the data, or of this computer before there is any. */
  get now() {
    return this.answer?.now ?? Date.now() / 1000;
  }

  update(state) {
    const before = this.state && this.address(this.state);
    this.state = state;
    this.heading.textContent = this.title(state);
    document.title = this.tabTitle(state);
    this.#sync();
    if (this.answer && before === this.address(state)) this.#render();
    else this.load();
  }

  /** @param {boolean} again a refresh: the page keeps what it shows until newer data arrives. */
  async load(again = false) {
    clearTimeout(this.timer);
    this.abort?.abort();
    const abort = new AbortController();
    this.abort = abort;
    this.parts.window.classList.toggle("busy", !again);
    if (!this.answer) this.parts.window.textContent = this.reading;
    try {
      const answer = await ask(this.address(this.state), { again, signal: abort.signal });
      this.answer = answer ?? this.answer;
      this.#tell(null);
      this.#render();
      this.loaded(again);
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
    const known = status === 404 ? this.missing : {};
    this.answer = null;
    this.#tell(null);
    this.#sync();
    this.parts.window.textContent = "";
    this.parts.cards.hidden = true;
    this.parts.body.hidden = true;
    this.notice({ ...errorNotice(status, message), ...known });
  }

  /** @param {{title: string, text: string, action: string|null}|null} notice null: nothing is to be said. */
  notice(notice) {
    const remedies = { ...this.remedies, "log in": ["Log in", () => openAirflow(this.frame.configuration.root)] };
    const again = ["Try again", () => this.load()];
    const remedy = notice?.action ? (remedies[notice.action] ?? again) : [];
    this.parts.notice.replaceChildren(...(notice ? [noticeBox(notice, ...remedy)] : []));
  }

  #render() {
    keepFocus(() => {
      const started = performance.now();
      this.#sync();
      this.parts.cards.hidden = false;
      this.draw();
      performance.measure("agari-draw", { start: started, end: performance.now() });
    });
  }

  key() {
    return false;
  }

  recolour() {} // the style sheet sets all colours

  close() {
    clearTimeout(this.timer);
    this.abort?.abort();
  }
}
