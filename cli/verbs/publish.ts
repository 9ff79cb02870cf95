import type { Command } from 'commander';
import { TruecountError } from '../../core/errors.js';
import { lastReconciled } from '../../store/read/range-plan.js';
import { configFor } from '../options.js';
import { withExamples } from '../output.js';
import { publishHours, publishInputs } from '../plan-hours.js';
import { runPublication } from '../publication.js';
import {
  makePlan,
  rangeOf,
  readFacts,
  withRangeOptions,
  type RangeOptions,
} from '../range-verb.js';
import { withReader } from '../with-reader.js';

interface PublishOptions extends RangeOptions {
  readonly reason?: string;
  readonly release?: boolean;
}

/** `truecount publish`: what was compared last becomes what is served. */
export function register(program: Command): void {
  const publish = withRangeOptions(
    program
      .command('publish')
      .summary('serve what was compared last, for a whole range at once')
      .description(
        'Publishes, for each hour of a range, the generation that `reconcile` compared last: all hours\n' +
          'in one step, as one publication number. Refused (exit code 4) where somebody published since\n' +
          'the comparison, and for held hours without --release.',
      ),
  )
    .option('--reason <text>', 'why, for the ledger')
    .option('--release', 'also hours that are held, which releases them')
    .action(run);
  withExamples(
    publish,
    'npx truecount publish --from 2025-11-21T08 --to 2025-11-21T10 --plan',
    'npx truecount publish --from 2025-11-21T08 --to 2025-11-21T10 --reason corrected',
  );
}

async function run(options: PublishOptions): Promise<void> {
  const { config } = configFor(options);
  const range = rangeOf(options);
  const release = options.release === true;
  const { plan, inputs, refused, overtaken } = await withReader(options, async (pool) => {
    const candidates = await lastReconciled(pool, range);
    const found = publishHours(await readFacts(pool, range), candidates, release);
    return {
      plan: await makePlan(pool, 'publish', range, found.hours),
      inputs: publishInputs(found.hours, candidates),
      refused: found.refused,
      overtaken: found.overtaken,
    };
  });
  const runs = options.plan !== true && options.cancel !== true;
  if (runs && overtaken.length > 0) {
    throw new TruecountError(
      'revision_conflict',
      `somebody has published since these hours were compared: ${overtaken.join(', ')}`,
      {
        hint: 'compare them again: truecount reconcile with the same range',
        context: { hours: overtaken },
      },
    );
  }
  if (runs && refused.length > 0) {
    throw new TruecountError('hour_held', `held: ${refused.join(', ')}`, {
      hint: 'look why with --plan; --release publishes them all the same',
      context: { hours: refused },
    });
  }
  await runPublication(config, options, {
    ...{ plan, inputs, kind: 'publish', reason: options.reason ?? 'publish' },
    again: release ? ['--release'] : [],
  });
}
