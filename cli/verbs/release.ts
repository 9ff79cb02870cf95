import type { Command } from 'commander';
import { withExamples } from '../output.js';
import { releaseHours } from '../plan-hours.js';
import { runPublication } from '../publication.js';
import { withRangeOptions, type RangeOptions } from '../range-verb.js';

interface ReleaseOptions extends RangeOptions {
  readonly reason?: string;
}

/** `truecount release`: what a rollback holds is let go, and what serves stays. */
export function register(program: Command): void {
  const release = withRangeOptions(
    program
      .command('release')
      .summary('let automation publish hours again that a rollback holds')
      .description(
        'Ends the hold that a rollback has put on hours: settlements look at them again. What serves ' +
          'stays as it is, no count changes. Hours that are not held are left out.',
      ),
  )
    .option('--reason <text>', 'why, for the ledger')
    .action(run);
  withExamples(
    release,
    'npx truecount release --from 2025-11-21T08 --to 2025-11-21T10 --plan',
    "npx truecount release --from 2025-11-21T08 --to 2025-11-21T10 --reason 'it was right'",
  );
}

async function run(options: ReleaseOptions): Promise<void> {
  await runPublication(options, {
    kind: 'release',
    reason: options.reason,
    again: [],
    candidates: () => Promise.resolve([]),
    decide: releaseHours,
  });
}
