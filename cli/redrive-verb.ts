import type { Command } from 'commander';
import type pg from 'pg';
import { REJECT_REASONS } from '../core/click/reasons.js';
import { TruecountError } from '../core/errors.js';
import type { Position } from '../core/position.js';
import { printable } from '../core/printable.js';
import { parseTime } from '../core/range.js';
import { checkRedriveMapping } from '../ingest/mapping/mapping.js';
import { kafkaClientOptions } from '../runtime/kafka-options.js';
import { withDatabase } from '../runtime/database.js';
import { assertKafkaAccepts } from '../runtime/kafka-contact.js';
import { createKafka } from '../runtime/kafka-client.js';
import { showQuarantined } from '../store/read/quarantine.js';
import { databaseNow } from '../store/redrive/record.js';
import { countRedrivable, type RedriveSelection } from '../store/redrive/select.js';
import { readMappingFile } from './mapping-file.js';
import { configFor, withCommonOptions, type CommonOptions } from './options.js';
import { Progress, printResult, withExamples } from './output.js';
import { parsePosition, parseReason } from './quarantine-words.js';
import { actorName } from './range-verb.js';
import { redrive, type RedriveMapping, type RedriveResult } from './redrive.js';

interface RedriveOptions extends CommonOptions {
  readonly reason?: string;
  readonly from?: string;
  readonly to?: string;
  readonly select?: readonly string[];
  readonly all?: boolean;
  readonly mapping?: string;
  readonly again?: boolean;
  readonly plan?: boolean;
}

/** `truecount quarantine redrive`: sends quarantined records to their topic again. */
export function registerRedrive(quarantine: Command): void {
  const verb = quarantine
    .command('redrive')
    .summary('send quarantined records to the log again, mended or as they are')
    .description(
      'Appends records to the topic that they came from. The decoder of the log looks at each before: ' +
        'what it would not take is not sent. Running it again counts nothing twice.',
    )
    .option('--reason <code>', `only this one of: ${REJECT_REASONS.join(', ')}`)
    .option('--from <time>', 'appended to the log at this time or later')
    .option('--to <time>', 'appended to the log before this time')
    .option('--select <position>', 'TOPIC/PARTITION/OFFSET (repeatable)', collect)
    .option('--all', 'everything in the quarantine')
    .option('--mapping <file>', 'YAML or JSON: which members of a record make a click')
    .option('--again', 'also what was sent before: by the same mapping it counts once')
    .option('--plan', 'only say what would be sent, and what not')
    .action(run);
  withExamples(
    withCommonOptions(verb),
    'npx truecount quarantine redrive --reason timestamp_in_future --plan',
    'npx truecount quarantine redrive --select clicks/0/1234 --mapping examples/redrive.mapping.yaml',
  );
}

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

async function run(options: RedriveOptions): Promise<void> {
  const asked = selectionOf(options);
  const fix = options.mapping === undefined ? undefined : readMapping(options.mapping);
  const { config } = configFor(options);
  const plan = options.plan === true;
  if (!plan) await assertKafkaAccepts(config);
  const progress = new Progress();
  const { selected, result } = await withDatabase(config, async (client) => {
    await checkPositions(client, asked.positions ?? []);
    const selection = { ...asked, before: await databaseNow(client) };
    const selected = await countRedrivable(client, selection);
    try {
      const result = await redrive(client, {
        ...{ selection, fix, again: options.again === true, actor: actorName() },
        kafka: plan ? null : createKafka(kafkaClientOptions(config)),
        onProgress: (looked) => {
          progress.update(`looked at ${String(looked)} of ${String(selected)} records`);
        },
      });
      return { selected, result };
    } finally {
      progress.done();
    }
  });
  printResult(options.json === true, documentOf(plan, selected, result), () =>
    words(plan, selected, result),
  );
  if (result.sent === 0 && result.rejections.length > 0) process.exitCode = 1;
}

function selectionOf(options: RedriveOptions): Omit<RedriveSelection, 'before'> {
  const { reason, from, to, select, all } = options;
  if (all !== true && [reason, from, to, select].every((given) => given === undefined)) {
    throw new TruecountError('invalid_argument', 'it is not said which records to redrive', {
      hint: 'give --reason, --from, --to, --select, or --all',
    });
  }
  return {
    reason: reason === undefined ? undefined : parseReason(reason),
    fromMs: from === undefined ? undefined : parseTime('--from', from),
    toMs: to === undefined ? undefined : parseTime('--to', to),
    positions: select?.map(parsePosition),
  };
}

async function checkPositions(client: pg.ClientBase, positions: readonly Position[]) {
  for (const { topic, partition, offset } of positions) {
    await showQuarantined(client, topic, partition, offset);
  }
}

function readMapping(path: string): RedriveMapping {
  const read = readMappingFile(path);
  checkRedriveMapping(read.mapping, path);
  return read;
}

function documentOf(plan: boolean, selected: number, result: RedriveResult) {
  return {
    plan,
    redrive: result.redrive,
    selected,
    sent: result.sent,
    sent_before: result.sentBefore,
    perhaps_sent: result.perhapsSent,
    rejected: result.rejected,
    rejections: result.rejections,
  };
}

function words(plan: boolean, selected: number, result: RedriveResult): string {
  const { sent, sentBefore, perhapsSent, rejected, rejections } = result;
  const count = Object.values(rejected).reduce((a, b) => a + b, 0);
  const more = count - rejections.length;
  return [
    `${plan ? 'would send' : 'sent'} ${String(sent)} of ${String(selected)} records`,
    ...(sentBefore > 0
      ? [`${String(sentBefore)} were sent before (--again sends them again)`]
      : []),
    ...(perhapsSent > 0
      ? [
          `${String(perhapsSent)} may have been sent by a run with another mapping that was stopped:`,
          '  use that mapping, or --again if they were not counted',
        ]
      : []),
    ...Object.entries(rejected).map(([reason, n]) => `not sent, ${reason}: ${String(n)}`),
    ...rejections.map(
      ({ topic, partition, offset, detail }) =>
        `  ${topic}/${String(partition)}/${String(offset)}: ${printable(detail)}`,
    ),
    ...(more > 0 ? [`  and ${String(more)} more`] : []),
  ].join('\n');
}
