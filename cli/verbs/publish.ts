import type { Command } from 'commander';
import { TruecountError } from '../../core/errors.js';
import { lastReconciled } from '../../store/read/range-plan.js';
import { withExamples } from '../output.js';
import { publishHours } from '../plan-hours.js';
import { runPublication } from '../publication.js';
import { withRangeOptions, type RangeOptions } from '../range-verb.js';

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
        'Publishes, for each hour of a range, the generation that `reconcile` compared last: all hours ' +
          'in one step, as one publication number. Refused (exit code 4) where somebody published since ' +
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
  const release = options.release === true;
  await runPublication(options, {
    kind: 'publish',
    reason: options.reason,
    again: release ? ['--release'] : [],
    candidates: lastReconciled,
    decide: (facts, candidates) => {
      const found = publishHours(facts, candidates, release);
      if (options.plan !== true && options.cancel !== true) assertMayBe(found);
      return found.hours;
    },
  });
}

function assertMayBe({ overtaken, refused }: ReturnType<typeof publishHours>): void {
  if (overtaken.length > 0) {
    throw new TruecountError(
      'revision_conflict',
      `somebody has published since these hours were compared: ${overtaken.join(', ')}`,
      {
        hint: 'compare them again: truecount reconcile with the same range',
        context: { hours: overtaken },
      },
    );
  }
  if (refused.length > 0) {
    throw new TruecountError('hour_held', `held: ${refused.join(', ')}`, {
      hint: 'look why with --plan; --release publishes them all the same',
      context: { hours: refused },
    });
  }
}
