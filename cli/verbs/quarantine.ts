import type { Command } from 'commander';
import { REJECT_REASONS } from '../../core/click/reasons.js';
import { printableBytes } from '../../core/printable.js';
import { parseWhole } from '../../core/question.js';
import { parseTime } from '../../core/range.js';
import { listQuarantined, showQuarantined } from '../../store/read/quarantine.js';
import { withCommonOptions, type CommonOptions } from '../options.js';
import { columns, printResult, withExamples } from '../output.js';
import {
  WHAT_TO_DO,
  described,
  hexDump,
  parsePosition,
  parseReason,
  redrivenWords,
} from '../quarantine-words.js';
import { registerRedrive } from '../redrive-verb.js';
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
    .description(
      'Shows records that were no clicks: position, reason and raw bytes; and sends them to the log ' +
        'again once they, or the decoder, are mended.',
    );
  registerList(quarantine);
  registerShow(quarantine);
  registerRedrive(quarantine);
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
    .action(runList);
  withExamples(
    withCommonOptions(list),
    'npx truecount quarantine list --reason not_json --from 2026-11-21T10 --limit 20',
  );
}

async function runList(options: ListOptions): Promise<void> {
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
      ['APPENDED', 'TOPIC', 'PARTITION', 'OFFSET', 'REASON', 'BYTES', 'REDRIVEN', 'BEGINS WITH'],
      ...documents.map((record) => [
        record.append_time,
        record.topic,
        String(record.partition),
        String(record.offset),
        record.reason,
        record.bytes === null ? '-' : String(record.bytes),
        record.redriven?.state.replaceAll('_', ' ') ?? '-',
        record.preview ?? '(no value)',
      ]),
    ]),
  );
}

function registerShow(quarantine: Command): void {
  const show = quarantine
    .command('show')
    .summary('one quarantined record, whole, and what to do about it')
    .argument('<position>', 'TOPIC/PARTITION/OFFSET; or the three as words')
    .argument('[partition]')
    .argument('[offset]')
    .action(runShow);
  withExamples(withCommonOptions(show), 'npx truecount quarantine show clicks/0/1234');
}

async function runShow(
  first: string,
  partition: string | undefined,
  offset: string | undefined,
  options: CommonOptions,
): Promise<void> {
  const words = [first, partition, offset].filter((word) => word !== undefined);
  const position = parsePosition(words.join('/'));
  const { raw, ...record } = await withReader(options, (pool) =>
    showQuarantined(pool, position.topic, position.partition, position.offset),
  );
  const document = {
    ...described(record),
    bytes: raw?.length ?? null,
    what_to_do: WHAT_TO_DO[parseReason(record.reason)],
  };
  const json = { ...document, raw_base64: raw?.toString('base64') ?? null };
  printResult(options.json === true, json, () => {
    const shown = { ...document, redriven: redrivenWords(document) };
    return [
      columns(Object.entries(shown).map(([name, value]) => [name, String(value ?? '-')])),
      '',
      ...(raw === null ? ['(no value)'] : [printableBytes(raw), '', hexDump(raw)]),
    ].join('\n');
  });
}
