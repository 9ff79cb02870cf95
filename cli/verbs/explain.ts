import type { Command } from 'commander';
import type { Static } from 'typebox';
import { answerExplain, type ExplainDocument, type VerifyCell } from '../../api/answers/explain.js';
import { printable } from '../../core/printable.js';
import { parseWhole } from '../../core/question.js';
import { configFor, withCommonOptions, type CommonOptions } from '../options.js';
import { Progress, columns, printResult, styleFor, withExamples, type Style } from '../output.js';
import { withReader } from '../with-reader.js';

interface ExplainOptions extends CommonOptions {
  readonly filter?: string;
  readonly asOf?: string;
  readonly verify?: boolean;
  readonly clicks?: string;
  readonly timeout: string;
}

type Answer = Static<typeof ExplainDocument>;

/** Clicks that are listed at most. */
const CLICKS_MAX = 1_000_000;

/** `truecount explain`: where the number of one ad and minute comes from. */
export function register(program: Command): void {
  const explain = program
    .command('explain')
    .summary('where the number of one ad and minute comes from')
    .description(
      'Says what serves the number, up to where in the log it counts, from which files, and every ' +
        'publication that touched its hour. --verify computes it again from the files: exit code 1 if ' +
        'it comes out different, 5 if the archive has not come so far yet.',
    )
    .argument('<ad>', 'the ad_id')
    .argument('<minute>', 'the minute, such as 2026-11-21T10:05')
    .option('--filter <dimension:value>', 'the number of this dimension value only')
    .option('--as-of <number>', 'as it was at an earlier publication')
    .option('--verify', 'compute it again from the lake')
    .option('--clicks <number>', 'list the first counted clicks; implies --verify')
    .option('--timeout <seconds>', 'how long --verify waits for the archive', '0')
    .action(run);
  withExamples(
    withCommonOptions(explain),
    'npx truecount explain ad-1 2026-11-21T10:05',
    'npx truecount explain ad-1 2026-11-21T10:05 --filter country:GB --verify --clicks 5',
  );
}

async function run(ad: string, minute: string, options: ExplainOptions): Promise<void> {
  const asked = {
    ad_id: ad,
    minute,
    filter_id: options.filter,
    as_of:
      options.asOf === undefined
        ? undefined
        : parseWhole('--as-of', options.asOf, 0, Number.MAX_SAFE_INTEGER),
    verify: options.verify,
    clicks:
      options.clicks === undefined
        ? undefined
        : parseWhole('--clicks', options.clicks, 0, CLICKS_MAX),
  };
  const waitMs = parseWhole('--timeout', options.timeout, 0, 86_400) * 1000;
  const answer = await withReader(options, (pool) =>
    answerExplain(pool, asked, verifier(options, waitMs)),
  );
  printResult(options.json === true, answer, () => text(answer, styleFor(process.stdout)));
  const { verification } = answer;
  if (verification?.verified === false) process.exitCode = 1;
  if (verification?.verified === null) process.exitCode = 5;
}

function verifier(options: ExplainOptions, waitMs: number): VerifyCell {
  return async (reader, explanation, clicksMax) => {
    const { verifyCell } = await import('../../runtime/verify-cell.js');
    const progress = new Progress();
    progress.update(`reading ${String(explanation.files.length)} files of the lake`);
    try {
      return await verifyCell(configFor(options).config, reader, explanation, clicksMax, {
        waitMs,
        onWait: (behind) => {
          progress.update(`waiting for the archive: ${String(behind)} records left`);
        },
      });
    } finally {
      progress.done();
    }
  };
}

function text(answer: Answer, style: Style): string {
  const filter = answer.filter_id === undefined ? '' : `, ${printable(answer.filter_id)}`;
  const what = `${printable(answer.ad_id)} at ${answer.minute}${filter}`;
  const parts = [
    `${what}: ${style.bold(String(answer.value))} clicks`,
    columns(facts(answer)),
    section(style, 'FILES THAT MAY HOLD ITS CLICKS', fileRows(answer)),
    section(style, 'PUBLICATIONS OF ITS HOUR', publicationRows(answer)),
    ...(answer.clicks === undefined
      ? []
      : [section(style, 'COUNTED CLICKS, THE FIRST', clickRows(answer.clicks))]),
    ...(answer.verification === undefined ? [] : [verdict(answer.verification, style)]),
  ];
  return parts.join('\n\n');
}

function facts(answer: Answer): string[][] {
  const { minute_of_all_ads: minute, late, generation } = answer;
  const cut = answer.cut.map(
    (entry) => `${entry.topic}/${String(entry.partition)}@${String(entry.next_offset)}`,
  );
  const whose = {
    generation: 'the cut of the generation',
    cut: 'the cut of the hour',
    stream: 'where the stream is',
  }[answer.counted_by];
  return [
    [
      'state',
      answer.state + (answer.revision === 0 ? ', live' : `, revision ${String(answer.revision)}`),
    ],
    ['as of', `publication ${String(answer.as_of)}`],
    ['rule set', answer.rule_set],
    ...(generation === null
      ? []
      : [
          ['generation', String(generation.id)],
          ['inputs', generation.inputs],
          ['checksum', generation.checksum],
          ['built', `${generation.built_at} by ${printable(generation.built_by)}`],
        ]),
    ['counted to', `${whose}: ${cut.length === 0 ? 'nothing read' : cut.join(' ')}`],
    [
      'all ads',
      `${String(minute.received)} received - ${String(minute.duplicates)} duplicates - ` +
        `${filtered(minute)} = ${String(minute.counted)} counted in this minute` +
        (minute.late === 0 ? '' : `; ${String(minute.late)} came late`),
    ],
    ['late', `${String(late.examined)} examined, ${String(late.waiting)} waiting`],
    ...answer.causes.map(({ cause, detail }) => ['cause', `${cause}: ${printable(detail)}`]),
  ];
}

function fileRows({ files }: Answer): string[][] {
  const rows = files.map((file) => [
    printable(file.key),
    String(file.bytes),
    String(file.rows),
    String(file.rows_of_hour),
    file.offsets
      .map(
        ({ topic, partition, from, to }) =>
          `${topic}/${String(partition)}[${String(from)},${String(to)})`,
      )
      .join(' '),
  ]);
  return rows.length === 0 ? [] : [['KEY', 'BYTES', 'ROWS', 'OF THE HOUR', 'OFFSETS'], ...rows];
}

function publicationRows({ publications }: Answer): string[][] {
  const rows = publications.map((entry) => [
    String(entry.publication),
    entry.kind,
    String(entry.revision),
    entry.at,
    entry.rule_set.slice(0, 8),
    entry.reconciliation === null ? '-' : String(entry.reconciliation.cells_differ),
    printable(entry.actor),
    printable(entry.reason),
  ]);
  if (rows.length === 0) return [];
  return [['NUMBER', 'KIND', 'REV', 'AT', 'RULES', 'CELLS CHANGED', 'WHO', 'WHY'], ...rows];
}

function clickRows(clicks: NonNullable<Answer['clicks']>): string[][] {
  const rows = clicks.map((click) => [
    `${click.topic}/${String(click.partition)}@${String(click.offset)}`,
    click.timestamp,
    click.appended_at,
    printable(click.event_id),
    click.late ? 'late' : '',
  ]);
  return rows.length === 0 ? [] : [['POSITION', 'TIMESTAMP', 'APPENDED', 'EVENT ID', ''], ...rows];
}

function section(style: Style, title: string, rows: string[][]): string {
  return `${style.bold(title)}\n${rows.length === 0 ? 'none' : columns(rows)}`;
}

function verdict(found: NonNullable<Answer['verification']>, style: Style): string {
  const { recomputed: flow, verified } = found;
  const sum =
    flow === null
      ? []
      : [
          `recomputed from ${String(found.files_read)} files: ${String(flow.received)} received - ` +
            `${String(flow.duplicates)} duplicates - ${filtered(flow)} - ` +
            `${String(flow.not_matching)} not matching = ${String(flow.value)}` +
            (flow.late === 0 ? '' : `, ${String(flow.late)} of them came late`),
        ];
  const word = `verified: ${verified === null ? 'unknown' : String(verified)}`;
  const stored = `served ${String(found.stored)}${flow === null ? '' : `, recomputed ${String(flow.value)}`}`;
  return [
    ...sum,
    `${painted(word, verified, style)} (${stored})${found.why === null ? '' : `: ${printable(found.why)}`}`,
  ].join('\n');
}

/** `5 filtered (bot 3, too_many 2)`. */
function filtered(of: Pick<Answer['minute_of_all_ads'], 'filtered' | 'filtered_by'>): string {
  const reasons = Object.entries(of.filtered_by).map(([reason, n]) => `${reason} ${String(n)}`);
  const why = reasons.length === 0 ? '' : ` (${reasons.join(', ')})`;
  return `${String(of.filtered)} filtered${why}`;
}

function painted(word: string, verified: boolean | null, style: Style): string {
  if (verified === null) return style.yellow(word);
  return verified ? style.green(word) : style.red(word);
}
