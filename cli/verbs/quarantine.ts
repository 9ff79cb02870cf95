import type { Command } from 'commander';
import { REJECT_REASONS, type RejectReason } from '../../core/click/reasons.js';
import { TruecountError } from '../../core/errors.js';
import { printable, printableBytes } from '../../core/printable.js';
import { parseWhole } from '../../core/question.js';
import { formatTime, parseTime } from '../../core/range.js';
import {
  listQuarantined,
  showQuarantined,
  type QuarantinedRecord,
} from '../../store/read/quarantine.js';
import { withCommonOptions, type CommonOptions } from '../options.js';
import { columns, printResult, withExamples } from '../output.js';
import { withReader } from '../with-reader.js';

/** Bytes of a record that a list shows. */
const PREVIEW_BYTES = 60;
const LIST_MAX = 10_000;

interface ListOptions extends CommonOptions {
  readonly reason?: string;
  readonly from?: string;
  readonly to?: string;
  readonly limit: string;
}

/** `truecount quarantine`: the records that were no clicks. */
export function register(program: Command): void {
  const quarantine = program
    .command('quarantine')
    .summary('records that were no clicks')
    .description('Shows records that were no clicks: position, reason and raw bytes.');
  registerList(quarantine);
  registerShow(quarantine);
  withExamples(quarantine, 'npx truecount quarantine list --reason not_json --limit 20');
}

function registerList(quarantine: Command): void {
  const list = quarantine
    .command('list')
    .summary('the newest quarantined records')
    .option('--reason <code>', `only this one of: ${REJECT_REASONS.join(', ')}`)
    .option('--from <time>', 'appended to the log at this time or later')
    .option('--to <time>', 'appended to the log before this time')
    .option('--limit <number>', 'records at most', '50')
    .action(async (options: ListOptions) => {
      const question = {
        reason: options.reason === undefined ? undefined : parseReason(options.reason),
        fromMs: options.from === undefined ? undefined : parseTime('--from', options.from),
        toMs: options.to === undefined ? undefined : parseTime('--to', options.to),
        limit: parseWhole('--limit', options.limit, 1, LIST_MAX),
      };
      const records = await withReader(options, (pool) =>
        listQuarantined(pool, question, PREVIEW_BYTES),
      );
      const documents = records.map(({ raw, bytes, ...record }) => ({
        ...described(record),
        bytes,
        preview: raw === null ? null : printableBytes(raw, bytes ?? 0),
      }));
      printResult(options.json === true, { records: documents }, () =>
        columns([
          ['APPENDED', 'TOPIC', 'PARTITION', 'OFFSET', 'REASON', 'BYTES', 'BEGINS WITH'],
          ...documents.map((record) => [
            record.append_time,
            record.topic,
            String(record.partition),
            String(record.offset),
            record.reason,
            record.bytes === null ? '-' : String(record.bytes),
            record.preview ?? '(no value)',
          ]),
        ]),
      );
    });
  withExamples(
    withCommonOptions(list),
    'npx truecount quarantine list --reason not_json --from 2026-11-21T10 --limit 20',
  );
}

function registerShow(quarantine: Command): void {
  const show = quarantine
    .command('show')
    .summary('one quarantined record, whole')
    .argument('<topic>')
    .argument('<partition>')
    .argument('<offset>')
    .action(async (topic: string, partition: string, offset: string, options: CommonOptions) => {
      const partitionNumber = parseWhole('partition', partition, 0, 2 ** 31 - 1);
      const offsetNumber = parseWhole('offset', offset, 0, Number.MAX_SAFE_INTEGER);
      const { raw, ...record } = await withReader(options, (pool) =>
        showQuarantined(pool, topic, partitionNumber, offsetNumber),
      );
      const document = { ...described(record), bytes: raw?.length ?? null };
      const json = { ...document, raw_base64: raw?.toString('base64') ?? null };
      printResult(options.json === true, json, () =>
        [
          columns(Object.entries(document).map(([name, value]) => [name, String(value ?? '-')])),
          '',
          raw === null ? '(no value)' : printableBytes(raw),
        ].join('\n'),
      );
    });
  withExamples(withCommonOptions(show), 'npx truecount quarantine show clicks 0 1234');
}

/** The record in the words of the output; what a producer wrote is made safe to print. */
function described(record: Omit<QuarantinedRecord, 'raw'>) {
  return {
    topic: record.topic,
    partition: record.partition,
    offset: record.offset,
    append_time: formatTime(record.appendMs),
    reason: record.reason,
    detail: printable(record.detail),
  };
}

function parseReason(text: string): RejectReason {
  const found = REJECT_REASONS.find((reason) => reason === text);
  if (found !== undefined) return found;
  throw new TruecountError('invalid_argument', `there is no reason ${printable(text)}`, {
    hint: `the reasons are ${REJECT_REASONS.join(', ')}`,
  });
}
