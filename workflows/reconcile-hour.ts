import { checked } from './checked.js';
import { checkReconcile } from './checks.js';
import type { ReconcileHourInput, ReconcileHourResult } from './contract.js';
import { long } from './proxies.js';
import { ofHour, running } from './run.js';

/** Compares a generation with what is served or was counted live, cell by cell; publishes nothing. */
export async function reconcileHour(input: ReconcileHourInput): Promise<ReconcileHourResult> {
  const request = checked(input, checkReconcile);
  const { hour, generation } = request;
  return running(
    ofHour(hour),
    ({ decision }) => decision,
    async (run) => {
      await run.untilResumed();
      run.show({ stage: 'reconcile' });
      const result = await long.reconcileHour.executeWithOptions(
        { summary: `diff of ${hour}, generation ${String(generation)}` },
        [request],
      );
      run.drift(result.drift);
      return result;
    },
  );
}
