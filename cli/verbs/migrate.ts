import type { Command } from 'commander';
import { checkDatabase, prepareDatabase } from '../../runtime/database.js';
import { configFor, withCommonOptions, type CommonOptions } from '../options.js';
import { printResult, withExamples } from '../output.js';

interface Options extends CommonOptions {
  readonly check?: boolean;
}

/** `truecount migrate`: brings the schema up to date; `--check` only says what is missing. */
export function register(program: Command): void {
  const command = program
    .command('migrate')
    .summary('bring the database schema up to date')
    .description(
      'Applies the migrations that the database lacks, forward only and one run at a time, and ' +
        'stores the configured rule set. --check changes nothing and exits 5 if any is missing.',
    )
    .option('--check', 'only say what is missing')
    .action(async (options: Options) => {
      const { config } = configFor(options);
      const check = options.check === true;
      const report = check ? await checkDatabase(config) : await prepareDatabase(config);
      printResult(options.json === true, report, () => describe(report.pending, check));
      if (check && report.pending.length > 0) process.exitCode = 5;
    });
  withExamples(withCommonOptions(command), 'npx truecount migrate --check');
}

function describe(pending: readonly string[], check: boolean): string {
  if (pending.length === 0) return 'the schema is up to date';
  const word = check ? 'missing' : 'applied';
  return pending.map((file) => `${word}  ${file}`).join('\n');
}
