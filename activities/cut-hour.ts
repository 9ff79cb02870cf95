import { formatTime } from '../core/range.js';
import { cutHour } from '../store/cut.js';
import type { Activities } from '../workflows/activity-contract.js';
import { hourMsOf } from '../workflows/input.js';
import type { ActivityDeps } from './deps.js';
import { withSignsOfLife } from './signs-of-life.js';

/** Cuts one hour. A flush that holds it makes this fail in passing; Temporal tries again. */
export function cutHourActivity({ session }: ActivityDeps): Activities['cutHour'] {
  return ({ hour }) =>
    session(async (client) => {
      const { hourMs, cutNow, cut } = await cutHour(client, hourMsOf(hour));
      return { hour: formatTime(hourMs), cutNow, cut };
    });
}

/** Cuts several, earliest first; a retry passes over those that are cut. */
export function cutHoursActivity({ session }: ActivityDeps): Activities['cutHours'] {
  return ({ hours }) =>
    withSignsOfLife((report) =>
      session(async (client) => {
        let cutNow = 0;
        for (const hour of [...hours].sort()) {
          report({ hour });
          if ((await cutHour(client, hourMsOf(hour))).cutNow) cutNow++;
        }
        return cutNow;
      }),
    );
}
