import { formatTime } from '../core/range.js';
import { dueWork, waitingReasons } from '../store/generations/due.js';
import { TOLD_MAX } from '../workflows/contract.js';
import type { Activities } from '../workflows/activity-contract.js';
import { hourMsOf } from '../workflows/input.js';
import type { ActivityDeps } from './deps.js';

/** Hours that are due, as many as one settlement may take. */
export function dueWorkActivity({ session, settle }: ActivityDeps): Activities['dueWork'] {
  const { lateAfterMs, hoursMax } = settle;
  return ({ from, to }) =>
    session(async (client) => {
      const range =
        from === undefined || to === undefined
          ? {}
          : { range: { fromMs: hourMsOf(from), toMs: hourMsOf(to) } };
      const due = await dueWork(client, { lateAfterMs, hoursMax, ...range });
      const waitingFor = await waitingReasons(client, due.waiting.slice(0, TOLD_MAX));
      return {
        toCut: due.toCut.map(formatTime),
        toRecompute: due.toRecompute.map(formatTime),
        toExamine: due.toExamine.map(formatTime),
        waiting: due.waiting.length,
        waitingFor: waitingFor.map(({ hourMs, reason }) => ({ hour: formatTime(hourMs), reason })),
      };
    });
}
