// @ts-check
/** Requests to the server. If an answer has not changed, the server sends only a short 304 instead of it. */

const tags = new Map(); // address -> ETag of the newest answer

/** The server refused, or could not be reached (status 0). The message is the server's own, or "" if it sent none. */
export class ApiError extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

/**
 * @param {string} address
 * @param {object} options
 * @param {boolean} [options.again] the page still shows the answer before this one; return null if it has not changed.
 * @param {AbortSignal} [options.signal]
 * @returns {Promise<object|null>}
 * @throws {ApiError}
 */
export async function ask(address, { again = false, signal = undefined } = {}) {
  const headers = { Accept: "application/json" };
  if (again && tags.has(address)) headers["If-None-Match"] = tags.get(address);
  const { answer, body } = await answered(address, { headers, signal });
  if (answer.headers.has("ETag")) tags.set(address, answer.headers.get("ETag"));
  return body;
}

/**
 * Change something.
 *
 * @param {string} address
 * @param {object} body
 * @param {string|null} token what the server wants to see with each change, if it does.
 * @throws {ApiError}
 */
export async function send(address, body, token) {
  const headers = { Accept: "application/json", "Content-Type": "application/json" };
  if (token) headers["X-CSRFToken"] = token;
  await answered(address, { method: "POST", headers, body: JSON.stringify(body) });
}

async function answered(address, options) {
  let answer;
  try {
    answer = await fetch(address, { credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "");
  }
  if (answer.status === 304) return { answer, body: null };
  const isJson = (answer.headers.get("Content-Type") ?? "").includes("json");
  if (answer.ok && !isJson) throw new ApiError(401, ""); // the log-in page, after a redirection
  const body = isJson ? await bodyOf(answer) : null;
  if (!answer.ok) throw new ApiError(answer.status, typeof body?.detail === "string" ? body.detail : "");
  return { answer, body };
}

async function bodyOf(answer) {
  try {
    return await answer.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(answer.ok ? 0 : answer.status, answer.ok ? "Its answer was cut off on the way." : "");
  }
}
