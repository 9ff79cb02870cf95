import type { RejectReason } from '../core/click/reasons.js';
import { REJECT_REASONS } from '../core/click/reasons.js';
import { TruecountError } from '../core/errors.js';
import type { Position } from '../core/position.js';
import { printable } from '../core/printable.js';
import { parseWhole } from '../core/question.js';
import { formatTime } from '../core/range.js';
import type { QuarantinedRecord } from '../store/read/quarantine.js';

const MAPPING = 'redrive it with --mapping, see docs/how-to/quarantine.md';
const LOST = 'it holds no click that could be taken out: ingest the right record from its source';

/** What to do about a record, by its reason. */
export const WHAT_TO_DO: Readonly<Record<RejectReason, string>> = {
  empty: 'nothing: there was no click in it (a tombstone, a blank line)',
  record_too_large: 'ingest it from its source without what makes it large (over 256 KiB)',
  bad_framing:
    'its schema id leads to Avro or Protobuf: let the producer write JSON, and send it again',
  not_utf8: 'ingest it from its source as UTF-8',
  too_deep: 'ingest it from its source without the nested part',
  not_json: LOST,
  not_object: LOST,
  missing_field: `the field may have another name: ${MAPPING}`,
  wrong_type: `a number for an id becomes text by a mapping that names its column: ${MAPPING}`,
  bad_id: `take the id from another member: ${MAPPING}`,
  bad_timestamp: `say the form of the time: ${MAPPING}`,
  timestamp_out_of_range: `seconds for milliseconds are format: epoch_s: ${MAPPING}`,
  timestamp_in_future: 'redrive it as it is once its time has come, or mend the sender’s clock',
};

/** The record in the words of the output; what a producer wrote is made safe to print. */
export function described(record: Omit<QuarantinedRecord, 'raw'>) {
  const { redriven } = record;
  return {
    topic: record.topic,
    partition: record.partition,
    offset: record.offset,
    append_time: formatTime(record.appendMs),
    reason: record.reason,
    detail: printable(record.detail),
    redriven:
      redriven === null
        ? null
        : {
            redrive: redriven.redrive,
            by: printable(redriven.actor),
            at: formatTime(redriven.atMs),
            state: redriven.state,
            to: redriven.to,
          },
  };
}

/** `sent to 1/1234 at … by …`; a dash where it was never sent again. */
export function redrivenWords({ redriven }: ReturnType<typeof described>): string {
  if (redriven === null) return '-';
  const { state, to, at, by } = redriven;
  const where = to === null ? '' : ` to ${String(to.partition)}/${String(to.offset)}`;
  return `${state.replaceAll('_', ' ')}${where} at ${at} by ${by}`;
}

/**
 * A position as it is written, `clicks/0/1234`.
 * @throws TruecountError `invalid_argument`
 */
export function parsePosition(text: string): Position {
  const [topic = '', partition, offset, ...rest] = text.split('/');
  if (topic === '' || partition === undefined || offset === undefined || rest.length > 0) {
    throw new TruecountError('invalid_argument', `no position: ${JSON.stringify(text)}`, {
      hint: 'write TOPIC/PARTITION/OFFSET, such as clicks/0/1234',
    });
  }
  return {
    topic,
    partition: parseWhole('partition', partition, 0, 2 ** 31 - 1),
    offset: parseWhole('offset', offset, 0, Number.MAX_SAFE_INTEGER),
  };
}

/** @throws TruecountError `invalid_argument` */
export function parseReason(text: string): RejectReason {
  const found = REJECT_REASONS.find((reason) => reason === text);
  if (found !== undefined) return found;
  throw new TruecountError('invalid_argument', `there is no reason ${printable(text)}`, {
    hint: `the reasons are ${REJECT_REASONS.join(', ')}`,
  });
}

/** Bytes that a hex dump shows. */
const HEX_BYTES = 512;

/** Offset and hex of the first bytes, 16 a line. */
export function hexDump(bytes: Buffer): string {
  const lines: string[] = [];
  for (let at = 0; at < Math.min(bytes.length, HEX_BYTES); at += 16) {
    const part = bytes.subarray(at, Math.min(at + 16, HEX_BYTES));
    const hex = part.toString('hex').replace(/..(?=.)/g, '$& ');
    lines.push(`${at.toString(16).padStart(6, '0')}  ${hex}`);
  }
  if (bytes.length > HEX_BYTES) lines.push(`… (${String(bytes.length - HEX_BYTES)} bytes more)`);
  return lines.join('\n');
}
