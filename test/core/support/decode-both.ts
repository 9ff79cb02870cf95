import { expect } from 'vitest';
import type { DecodeResult } from '../../../core/click/click.js';
import { ClickDecoder } from '../../../core/click/decode.js';
import { parseClick } from '../../../core/click/parse.js';
import { CLICK, ClickScanner } from '../../../core/click/scan.js';
import { createClickView } from '../../../core/click/view.js';
import { resultOf } from './decoding.js';

export const APPEND_MS = Date.UTC(2026, 10, 21, 10, 30);
export const FIELDS = ['country', 'device', 'ad_format'];

/** What may follow a record in its batch; reading it as part of the record would show. */
const BEHIND = ['', '"}', '}', '0}', ',"ad_id":"behind"}', ':1}', ' }'].map((text) =>
  Buffer.from(text),
);

/**
 * Decodes by the full parser and by the stream's entry point, expects one meaning, returns it.
 * Several times by the latter: with nothing learned, then with the record's own layout learned, and
 * with other bytes behind the record.
 */
export function decodeBoth(
  value: string | Uint8Array,
  appendMs = APPEND_MS,
  fields: readonly string[] = FIELDS,
): DecodeResult {
  const record = typeof value === 'string' ? Buffer.from(value) : value;
  const expected = parseClick(record, appendMs, fields);
  const decoder = new ClickDecoder(fields);
  const view = createClickView(fields.length);
  for (const behind of BEHIND) {
    const bytes = Buffer.concat([record, behind]);
    const code = decoder.decodeInto(bytes, 0, record.length, appendMs, view);
    expect(resultOf(decoder, code, view)).toEqual(expected);
  }
  return expected;
}

/** Whether the fast scanner takes the record by itself. */
export function scansFast(value: string, fields: readonly string[] = FIELDS): boolean {
  const bytes = Buffer.from(value);
  const view = createClickView(fields.length);
  return new ClickScanner(fields).scan(bytes, 0, bytes.length, APPEND_MS, view) === CLICK;
}
