import { CancellationScope } from '@temporalio/workflow';
import { checked } from './checked.js';
import { checkPublish } from './checks.js';
import type { PublishRangeInput, PublishRangeResult } from './contract.js';
import { short } from './proxies.js';
import { ofHour, running } from './run.js';

const OUTCOMES = {
  publish: 'published',
  rollback: 'rolled_back',
  confirm: 'confirmed',
  release: 'released',
} as const;

/** Publishes, rolls back, confirms or releases hours in one step: all of them or none. */
export async function publishRange(input: PublishRangeInput): Promise<PublishRangeResult> {
  const request = checked(input, checkPublish);
  const names = request.hours.map(({ hour }) => hour).sort();
  const spec = { ...ofHour(names.at(-1)!), from: names[0]!, hours: names.length };
  return running(
    spec,
    () => OUTCOMES[request.kind],
    async (run) => {
      await run.untilResumed();
      run.show({ stage: 'publish' });
      const result = await publishStep(request, 'publish');
      run.did({ hours: names.length });
      return result;
    },
  );
}

/**
 * The one step that readers see. A cancellation that arrives meanwhile waits for it: afterwards only
 * another publication changes anything.
 */
export async function publishStep(
  request: PublishRangeInput,
  step: string,
): Promise<PublishRangeResult> {
  const summary = `${request.kind} ${String(request.hours.length)} hours`;
  return CancellationScope.nonCancellable(() =>
    short.publish.executeWithOptions({ summary }, [{ ...request, step }]),
  );
}
