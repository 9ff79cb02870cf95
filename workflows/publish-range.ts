import { CancellationScope } from '@temporalio/workflow';
import { checked } from './checked.js';
import type { PublishHour, PublishRangeInput, PublishRangeResult } from './contract.js';
import { refuse } from './failures.js';
import { hourText, oneOf, PUBLISH_HOURS_MAX, wholeNumber } from './input.js';
import { short } from './proxies.js';
import { ofHour, running } from './run.js';

const OUTCOMES = { publish: 'published', rollback: 'rolled_back', confirm: 'confirmed' } as const;

/** Publishes, rolls back or confirms hours in one step: all of them or none. */
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

function checkPublish(input: PublishRangeInput): PublishRangeInput {
  const { hours, actor, reason } = input;
  if (!Array.isArray(hours) || hours.length === 0 || hours.length > PUBLISH_HOURS_MAX) {
    throw refuse('invalid_argument', `hours must name 1 to ${String(PUBLISH_HOURS_MAX)} hours`);
  }
  for (const [name, value] of Object.entries({ actor, reason })) {
    if (typeof value !== 'string' || value === '') {
      throw refuse('invalid_argument', `${name} is missing: the ledger keeps it`);
    }
  }
  return {
    hours: (hours as readonly PublishHour[]).map(checkHour),
    kind: oneOf('kind', input.kind, ['publish', 'rollback', 'confirm'], 'publish'),
    actor,
    reason,
    automatic: input.automatic === true,
  };
}

function checkHour(one: PublishHour): PublishHour {
  const max = Number.MAX_SAFE_INTEGER;
  return {
    ...one,
    hour: hourText('hour', one.hour),
    generation: wholeNumber('generation', one.generation, { min: 1, max }),
    expectedRevision: wholeNumber('expectedRevision', one.expectedRevision, { min: 0, max }),
  };
}
