import { ScheduleNotFoundError } from '@temporalio/client';
import type { Config } from '../config.js';
import type { Health } from '../status.js';
import { openTemporal } from './client.js';
import { readSettleFacts, settleFault, standstillText } from './settle-watch.js';

/** Whether the schedule settles hours: a line of `status` and `doctor`. */
export async function settleHealth(config: Config): Promise<Health> {
  const name = 'settle';
  try {
    const temporal = await openTemporal(config);
    try {
      const facts = await readSettleFacts(temporal.client, config.settle.intervalMs);
      const fault = settleFault(facts);
      if (fault !== undefined) return { name, ok: false, detail: fault };
      const warning = standstillText(facts);
      const { lastSuccessMs, missed, skipped, intervalMs } = facts;
      const last = lastSuccessMs === null ? 'none yet' : new Date(lastSuccessMs).toISOString();
      const rest = `missed ${String(missed)}, skipped ${String(skipped)}`;
      return {
        name,
        ok: true,
        detail: `every ${String(intervalMs / 1000)} s, last success ${last}, ${rest}`,
        ...(warning === undefined ? {} : { warning }),
      };
    } finally {
      await temporal.close();
    }
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) {
      return { name, ok: false, detail: 'no schedule yet: no worker has run' };
    }
    return { name, ok: false, detail: error instanceof Error ? error.message : String(error) };
  }
}
