// @ts-check
/** Seconds per run by task instead of by outcome: which task takes the time, and since when. Pure. */

import { COUNTED, standing, taskNames } from "./series.js";

const MOST = 11; // layers; so many colours can be told apart, the other tasks are summed

/**
 * Group of a task: what is before the last dot of its id, as Airflow names the tasks of a group; null: in no group.
 *
 * @param {string} id
 */
export function groupOf(id) {
  const at = id.lastIndexOf(".");
  return at > 0 ? id.slice(0, at) : null;
}

/** Whether the DAG has tasks in groups. */
export function hasGroups({ tasks }) {
  return tasks.task_id.some((id) => groupOf(id) !== null);
}

/**
 * A layer for each task, or for each outermost group, in the order in which they usually start. The tasks that took
 * least are summed in one layer, so that the layers always add up to the whole.
 *
 * @param {number[]} shown indexes into ``payload.tries``.
 * @param {boolean} folded the tasks of a group are one layer.
 * @returns {{key: string, name: string, tasks: number[], values: (number|null)[]}[]} null where the run has no try.
 */
export function taskLayers(payload, shown, folded) {
  const { tries, tasks } = payload;
  const names = taskNames(payload);
  const length = payload.runs.run_id.length;
  const found = new Map();
  for (const index of shown) {
    if (standing(tries, index) === COUNTED.not) continue;
    const task = tries.task[index];
    const group = folded ? (groupOf(tasks.task_id[task])?.split(".")[0] ?? null) : null;
    const key = group === null ? `task:${tasks.task_id[task]}` : `group:${group}`;
    if (!found.has(key))
      found.set(key, { key, name: group ?? names[task], tasks: [], values: new Array(length).fill(null) });
    const layer = found.get(key);
    if (!layer.tasks.includes(task)) layer.tasks.push(task);
    const run = tries.run[index];
    layer.values[run] = (layer.values[run] ?? 0) + (tries.run_seconds[index] ?? 0);
  }
  const layers = [...found.values()].sort((one, other) => Math.min(...one.tasks) - Math.min(...other.tasks));
  return layers.length <= MOST + 1 ? layers : withOthersSummed(layers);
}

function withOthersSummed(layers) {
  const total = ({ values }) => values.reduce((sum, value) => sum + (value ?? 0), 0);
  const largest = new Set([...layers].sort((one, other) => total(other) - total(one)).slice(0, MOST));
  const others = layers.filter((layer) => !largest.has(layer));
  const values = others[0].values.map((_, run) =>
    others.reduce((sum, layer) => (layer.values[run] === null ? sum : (sum ?? 0) + layer.values[run]), null),
  );
  const tasks = others.flatMap((layer) => layer.tasks);
  return [
    ...layers.filter((layer) => largest.has(layer)),
    { key: "others", name: `${others.length} others`, tasks, values },
  ];
}

/** Height that the axis must reach in each run: of the highest line, not of all lines stacked. */
export function highest(layers, length) {
  return Array.from({ length }, (_, run) =>
    layers.reduce(
      (most, { values }) => (values[run] === null ? most : Math.max(most ?? 0, values[run])),
      /** @type {number|null} */ (null),
    ),
  );
}
