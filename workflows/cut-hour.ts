import { HOUR_MS } from '../core/time.js';
import { checked } from './checked.js';
import { checkCut } from './checks.js';
import type { CutHourInput, CutHourResult } from './contract.js';
import { refuse } from './failures.js';
import { hourMsOf } from './input.js';
import { short, waiting } from './proxies.js';
import { ofHour, running } from './run.js';

/** The stream has this long to reach the end that the log had at the start. */
export const STREAM_TIMEOUT_MS = 600_000;

/**
 * Cuts one hour at an exact line: waits until the stream has reached the end that the log has now,
 * so that what was sent before is counted live, then cuts.
 */
export async function cutHour(input: CutHourInput): Promise<CutHourResult> {
  const { hour, early } = checked(input, checkCut);
  return running(
    ofHour(hour),
    ({ cutNow }) => (cutNow ? 'cut' : 'was_cut'),
    async (run) => {
      if (!early && hourMsOf(hour) + HOUR_MS > Date.now()) {
        throw refuse(
          'conflict',
          `${hour} is not over: its coming clicks would be late for ever`,
          'say "early": true if that is what you want',
        );
      }
      run.show({ stage: 'stream' });
      const ends = await short.logEnds.executeWithOptions({ summary: 'where the log ends' }, []);
      await waiting(STREAM_TIMEOUT_MS).awaitStream.executeWithOptions(
        { summary: 'until the stream is there' },
        [ends],
      );
      await run.untilResumed();
      run.show({ stage: 'cut' });
      return short.cutHour.executeWithOptions({ summary: `cut ${hour}` }, [{ hour }]);
    },
  );
}
