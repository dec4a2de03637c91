// @ts-check
/** Which tasks made a run as long as it was. Pure: no document, no state. */

/**
 * The critical path of a run: from the task that ended last, back to the one of its upstream tasks that ended last, and
 * so on. Had one of these been faster, the run would have been too.
 *
 * Upstream are the tasks that the newest version of the DAG names.
 *
 * @param {any} payload
 * @param {number} run
 * @returns {{task: number, seconds: number}[]} the first task first; ``seconds`` from the end of the task before, or from
 *   the run's start, to the end of this task, with its waits and failed tries. Empty if no task has started.
 */
export function criticalPath(payload, run) {
  const { tries, runs, now } = payload;
  const ends = new Map();
  const starts = [];
  tries.run.forEach((of, index) => {
    if (of !== run || tries.counted?.[index] === 0) return;
    starts.push(tries.start[index]);
    const task = tries.task[index];
    ends.set(task, Math.max(ends.get(task) ?? 0, tries.end[index] ?? now));
  });
  const last = (tasks) =>
    tasks.filter((task) => ends.has(task)).sort((one, other) => ends.get(other) - ends.get(one))[0];
  const path = [];
  let task = last([...ends.keys()]);
  while (task !== undefined && !path.includes(task)) {
    path.unshift(task);
    task = last(upstreamOf(payload, task));
  }
  const begin = Math.min(runs.start[run] ?? Infinity, ...starts);
  return path.map((of, at) => ({
    task: of,
    seconds: Math.max(0, ends.get(of) - (at === 0 ? begin : ends.get(path[at - 1]))),
  }));
}

function upstreamOf({ tasks }, task) {
  return (tasks.downstream ?? []).flatMap((after, before) => (after.includes(task) ? [before] : []));
}
