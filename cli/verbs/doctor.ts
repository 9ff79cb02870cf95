import type { Command } from 'commander';
import { examine, type Finding } from '../../runtime/doctor.js';
import { configFor, withCommonOptions, type CommonOptions } from '../options.js';
import { columns, printResult, styleFor, withExamples } from '../output.js';

/** `truecount doctor`: where each part comes from, what is wrong and what to do; exit 5 if so. */
export function register(program: Command): void {
  const command = program
    .command('doctor')
    .summary('what is wrong, and what to do')
    .description(
      'Says where PostgreSQL, Kafka and Temporal come from, whether they answer, whether schema and ' +
        'topics are as they must be, and what to do where not. Exits 5 if something is wrong.',
    )
    .action(async (options: CommonOptions) => {
      const findings = await examine(configFor(options), process.env);
      printResult(options.json === true, { findings }, () => describe(findings));
      if (findings.some(({ level }) => level === 'wrong')) process.exitCode = 5;
    });
  withExamples(withCommonOptions(command), 'npx truecount doctor');
}

function describe(findings: readonly Finding[]): string {
  const style = styleFor(process.stdout);
  const word = {
    ok: style.green('ok   '),
    info: style.dim('info '),
    warn: style.yellow('warn '),
    wrong: style.red('wrong'),
  };
  return columns(
    findings.map(({ what, level, detail, todo }) => [
      word[level],
      what,
      todo === undefined ? detail : `${detail}: ${todo}`,
    ]),
  );
}
