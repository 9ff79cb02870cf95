import type { Command } from 'commander';
import { attentionText, readStatus, type Health, type Status } from '../../runtime/status.js';
import { configFor, withCommonOptions, type CommonOptions } from '../options.js';
import { columns, printResult, styleFor, withExamples } from '../output.js';
import { endpointTable } from './up.js';

/** `truecount status`: endpoints, health, lag and hours; exit 5 if anything is down. */
export function register(program: Command): void {
  const command = program
    .command('status')
    .summary('endpoints, health, lag and hours by state')
    .description(
      'Says where everything is reached, whether it answers, how far behind the stream is and how ' +
        'many hours are in which state. Exits 5 if anything does not answer.',
    )
    .action(async (options: CommonOptions) => {
      const status = await readStatus(configFor(options));
      const { endpoints, ...rest } = status;
      printResult(options.json === true, { ...endpoints, ...rest }, () => describe(status));
      if (status.health.some(({ ok }) => !ok)) process.exitCode = 5;
    });
  withExamples(withCommonOptions(command), 'npx truecount status', 'npx truecount status --json');
}

function describe(status: Status): string {
  const { endpoints, health, lag, archive_lag, watermark, hours, attention } = status;
  const style = styleFor(process.stdout);
  const word = ({ ok, warning }: Health): string => {
    if (!ok) return style.red('down');
    return warning === undefined ? style.green('ok  ') : style.yellow('warn');
  };
  const rows = health.map((part) => [word(part), part.name, part.warning ?? part.detail]);
  const counts =
    hours === null
      ? []
      : [
          '',
          `lag        ${records(lag)}; archive ${records(archive_lag)}`,
          `watermark  ${watermark ?? 'none yet'}`,
          `hours      ${String(hours.open)} open, ${String(hours.provisional)} provisional, ` +
            `${String(hours.cut)} cut, ${String(hours.final)} final`,
        ];
  const people = attention === null ? undefined : attentionText(attention);
  if (people !== undefined) counts.push(style.yellow(`attention  ${people}: truecount hours`));
  return [endpointTable(endpoints), '', columns(rows), ...counts].join('\n');
}

function records(n: number | null): string {
  return n === null ? 'not known' : `${String(n)} records`;
}
