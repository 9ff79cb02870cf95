import { createHash } from 'node:crypto';
import { parseClick } from '../../core/click/parse.js';
import { trimLine } from './lines.js';
import type { ReaderState, RecordReader } from './record-reader.js';
import { RECORD_BYTES_MAX, TOO_LONG, rejection } from './source-item.js';
import type { SourceItem } from './source-item.js';

/**
 * One record per line, sent as it is. Only the framing is checked here: a line that is no click
 * goes to the log as well, where the one decoder quarantines it with reason, bytes and position; a
 * second judge at the door could only disagree with it, and would keep nothing. Empty lines are
 * no records. Rejected here is only what the broker would refuse: a line over RECORD_BYTES_MAX.
 */
export class NdjsonReader implements RecordReader {
  private line: number;

  constructor(state?: ReaderState) {
    this.line = state?.line ?? 0;
  }

  read(raw: Buffer | null): SourceItem | null {
    this.line += 1;
    const bytes = raw === null ? null : trimLine(raw, this.line === 1);
    if (bytes?.length === 0) return null;
    if (bytes === null || bytes.length > RECORD_BYTES_MAX) {
      return rejection(this.line, undefined, TOO_LONG);
    }
    return { kind: 'record', bytes, key: recordKey(bytes), line: this.line };
  }

  state(): ReaderState {
    return { line: this.line, row: 0, chain: '' };
  }

  isBetweenRecords(): boolean {
    return true;
  }

  end(): void {
    // Any end will do.
  }
}

const AD_ID = Buffer.from('"ad_id"');
const AD_ID_TEXT = Buffer.from('"ad_id":"');
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * The key of a record on the log. Equal clicks must share a partition however they are written
 * (escapes, repeated keys), so the key is the ad id as the decoder reads it; what is no click is
 * keyed by a hash of its bytes.
 */
export function recordKey(bytes: Buffer): Buffer {
  return plainAdId(bytes) ?? decodedAdId(bytes) ?? hashKey(bytes);
}

/**
 * Without a backslash a quote ends or starts a string, so `"ad_id"` found once is the field, or the
 * record is no click and its key is without meaning.
 */
function plainAdId(bytes: Buffer): Buffer | undefined {
  const at = bytes.indexOf(AD_ID_TEXT);
  if (at < 0 || bytes.includes(BACKSLASH)) return undefined;
  const start = at + AD_ID_TEXT.length;
  const end = bytes.indexOf(QUOTE, start);
  if (end <= start || bytes.indexOf(AD_ID) !== at || bytes.includes(AD_ID, end)) return undefined;
  return bytes.subarray(start, end);
}

function decodedAdId(bytes: Buffer): Buffer | undefined {
  // Whether the time is in the future is the decoder's to say, with the broker's append time.
  const result = parseClick(bytes, Infinity, []);
  return result.kind === 'click' ? Buffer.from(result.click.adId) : undefined;
}

function hashKey(bytes: Buffer): Buffer {
  return Buffer.from(createHash('sha256').update(bytes).digest('hex').slice(0, 32));
}
