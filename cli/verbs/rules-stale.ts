import type { Command } from 'commander';
import { answerStaleRules } from '../../api/answers/stale-rules.js';
import { withCommonOptions, type CommonOptions } from '../options.js';
import { printResult, styleFor, withExamples } from '../output.js';
import { staleText, withCommands } from '../stale-text.js';
import { withReader } from '../with-reader.js';

interface StaleOptions extends CommonOptions {
  readonly from?: string;
  readonly to?: string;
}

/** `truecount rules stale`: final hours that a newer version is in force for. */
export function registerStale(rules: Command): void {
  const stale = rules
    .command('stale')
    .summary('final hours counted by another rule set than the one in force')
    .description(
      'Names every final hour that is counted by another rule set than the one in force for it, and ' +
        'how much a replay would read. Nothing is wrong with such an hour: it says what it said. Hours ' +
        'that a replay counted by a newer version than the one in force for them are named apart.',
    )
    .option('--from <time>', 'first hour (default: all hours)')
    .option('--to <time>', 'end of the range, not in it')
    .action(run);
  withExamples(
    withCommonOptions(stale),
    'npx truecount rules stale',
    'npx truecount rules stale --from 2026-11-18T00 --to 2026-11-21T00 --json',
  );
}

async function run(options: StaleOptions): Promise<void> {
  const answer = await withReader(options, (pool) =>
    answerStaleRules(pool, { from: options.from, to: options.to }, Infinity),
  );
  printResult(options.json === true, withCommands(answer), () =>
    staleText(answer, styleFor(process.stdout)),
  );
}
