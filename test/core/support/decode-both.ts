import { expect } from 'vitest';
import type { DecodeResult } from '../../../core/click/click.js';
import { ClickDecoder } from '../../../core/click/decode.js';
import { parseClick } from '../../../core/click/parse.js';
import { CLICK, ClickScanner } from '../../../core/click/scan.js';
import { createClickView } from '../../../core/click/view.js';
import { resultOf } from './decoding.js';

export const APPEND_MS = Date.UTC(2026, 10, 21, 10, 30);
export const FIELDS = ['country', 'device', 'ad_format'];

/** What follows a record in its batch; reading it as part of the record would show. */
const BEHIND = Buffer.from('"}]0,"ad_id":"behind"}');

/**
 * Decodes by the full parser and by the stream's entry point, expects one meaning, returns it.
 * Twice by the latter: once with nothing learned, once with the record's own layout learned.
 */
export function decodeBoth(
  value: string | Uint8Array,
  appendMs = APPEND_MS,
  fields: readonly string[] = FIELDS,
): DecodeResult {
  const record = typeof value === 'string' ? Buffer.from(value) : value;
  const expected = parseClick(record, appendMs, fields);
  const bytes = Buffer.concat([record, BEHIND]);
  const decoder = new ClickDecoder(fields);
  const view = createClickView(fields.length);
  for (let pass = 0; pass < 2; pass++) {
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
