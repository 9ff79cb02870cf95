import type { Command } from 'commander';
import type { Static } from 'typebox';
import { answerHours, type HoursDocument } from '../../api/answers/hours.js';
import { printable } from '../../core/printable.js';
import { withCommonOptions, type CommonOptions } from '../options.js';
import { columns, printResult, withExamples } from '../output.js';
import { withReader } from '../with-reader.js';

interface HoursOptions extends CommonOptions {
  readonly from?: string;
  readonly to?: string;
}

type Answer = Static<typeof HoursDocument>;

/** `truecount hours`: state, revision, rule set, cut and late clicks of each hour. */
export function register(program: Command): void {
  const hours = program
    .command('hours')
    .summary('state, revision, rule set, cut and late clicks of each hour')
    .description('Shows how far each hour has come: the answer of GET /hours.')
    .option('--from <time>', 'first hour')
    .option('--to <time>', 'end of the range, not in it')
    .action(async (options: HoursOptions) => {
      const asked = { from: options.from, to: options.to };
      const answer = await withReader(options, (pool) => answerHours(pool, asked));
      printResult(options.json === true, answer, () => table(answer));
    });
  withExamples(
    withCommonOptions(hours),
    'npx truecount hours',
    'npx truecount hours --from 2026-11-21T00 --to 2026-11-22T00',
  );
}

function table(answer: Answer): string {
  const topics = new Set(answer.hours.flatMap((hour) => cutShown(hour).map(({ topic }) => topic)));
  return [
    `watermark ${answer.watermark ?? 'none yet'}`,
    columns([
      ['HOUR', 'STATE', 'REV', 'RULES', 'LATE', 'CUT (partition@offset)', ''],
      ...answer.hours.map((hour) => [
        hour.hour,
        hour.state,
        String(hour.revision),
        (hour.served?.rule_set ?? hour.rule_set).slice(0, 8),
        String(hour.late_waiting),
        cutOf(hour, topics.size > 1),
        remarksOn(hour),
      ]),
    ]),
  ].join('\n');
}

/** Of a final hour what counts is the cut of what serves it. */
function cutShown(hour: Answer['hours'][number]) {
  return hour.served?.cut ?? hour.cut;
}

/** What keeps it from people's trust: holds, an alert, why it is not done, and what live may lack. */
function remarksOn(hour: Answer['hours'][number]): string {
  const { held, waiting, alert, failure, served, causes } = hour;
  const shown = served === null ? causes : [];
  return [
    ...(held === null ? [] : [printable(`held: ${held}`)]),
    ...(waiting === null ? [] : [printable(`waits for a person: ${waiting.reason}`)]),
    ...(alert === null ? [] : [printable(`published with an alert: ${alert.reason}`)]),
    ...(failure === null ? [] : [failed(failure)]),
    ...shown.map(({ cause, detail }) => printable(`${cause}: ${detail}`)),
  ].join('; ');
}

function failed({ since, times, error }: NonNullable<Answer['hours'][number]['failure']>): string {
  const often = times === 1 ? `failed at ${since}` : `failed ${String(times)} times since ${since}`;
  return printable(`${often}: ${error}`);
}

function cutOf(hour: Answer['hours'][number], severalTopics: boolean): string {
  if (hour.cut_at === null) return hour.due ? 'due' : '-';
  const positions = cutShown(hour).map(
    ({ topic, partition, next_offset }) =>
      `${severalTopics ? `${topic}/` : ''}${String(partition)}@${String(next_offset)}`,
  );
  return positions.length === 0 ? 'cut, nothing read' : positions.join(' ');
}
