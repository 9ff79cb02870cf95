import { hourStates } from '../store/generations/hours.js';
import type { Activities } from '../workflows/activity-contract.js';
import { hourMsOf } from '../workflows/input.js';
import type { ActivityDeps } from './deps.js';

/** What the hours are now; one that nobody has counted into yet is open. */
export function lookAtHoursActivity({ session }: ActivityDeps): Activities['lookAtHours'] {
  return ({ hours }) =>
    session(async (client) => {
      const found = await hourStates(client, hours.map(hourMsOf));
      const byMs = new Map(found.map((one) => [one.hourMs, one]));
      return hours.map((hour) => {
        const one = byMs.get(hourMsOf(hour));
        return {
          hour,
          cut: one !== undefined && one.cut !== null,
          revision: one?.revision ?? 0,
          latePending: one?.latePending ?? 0,
        };
      });
    });
}
