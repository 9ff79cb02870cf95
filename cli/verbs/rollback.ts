import type { Command } from 'commander';
import { parseWhole } from '../../core/question.js';
import { earlierRevisions } from '../../store/read/range-plan.js';
import { withExamples } from '../output.js';
import { rollbackHours } from '../plan-hours.js';
import { runPublication } from '../publication.js';
import { withRangeOptions, type RangeOptions } from '../range-verb.js';

interface RollbackOptions extends RangeOptions {
  readonly reason?: string;
  readonly toRevision?: string;
}

/** `truecount rollback`: an earlier revision serves again. */
export function register(program: Command): void {
  const rollback = withRangeOptions(
    program
      .command('rollback')
      .summary('serve an earlier revision again, for a whole range at once')
      .description(
        'Publishes the generation of an earlier revision of each hour again, all hours in one step, as ' +
          'a new revision. It holds automatic publication off these hours until a person publishes or ' +
          'releases them.',
      ),
  )
    .option('--to-revision <number>', 'the revision (default: the newest from before what serves)')
    .option('--reason <text>', 'why, for the ledger')
    .action(run);
  withExamples(
    rollback,
    'npx truecount rollback --from 2025-11-21T08 --to 2025-11-21T10 --plan',
    "npx truecount rollback --from 2025-11-21T08 --to 2025-11-21T10 --reason 'wrong mapping'",
  );
}

async function run(options: RollbackOptions): Promise<void> {
  const toRevision =
    options.toRevision === undefined
      ? undefined
      : parseWhole('--to-revision', options.toRevision, 1, 2 ** 31 - 1);
  await runPublication(options, {
    kind: 'rollback',
    reason: options.reason,
    again: toRevision === undefined ? [] : ['--to-revision', String(toRevision)],
    candidates: (pool, range) => earlierRevisions(pool, range, toRevision ?? null),
    decide: (facts, candidates) => rollbackHours(facts, candidates, toRevision),
  });
}
