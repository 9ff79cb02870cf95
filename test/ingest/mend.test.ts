import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseClick } from '../../core/click/parse.js';
import { checkRedriveMapping, parseMapping } from '../../ingest/mapping/mapping.js';
import { menderOf, type Mended } from '../../ingest/redrive/mend.js';
import { packageFile } from '../../runtime/package-root.js';
import { EXAMPLE_APPEND_MS, REJECT_EXAMPLES } from '../core/support/reject-examples.js';

const NOW_MS = EXAMPLE_APPEND_MS;
const FROM = { topic: 'clicks', partition: 3, offset: 1234 };
const BY_POSITION = `
event_id: { position: true }
ad_id: { column: ad_id }
timestamp: { column: timestamp, format: rfc3339 }`;

function mend(record: unknown, mapping?: string): Mended {
  const raw = Buffer.from(typeof record === 'string' ? record : JSON.stringify(record));
  const parsed = mapping === undefined ? undefined : parseMapping(mapping, 'test');
  return menderOf(parsed)(raw, FROM, NOW_MS);
}

function mended(record: unknown, mapping: string): unknown {
  const result = mend(record, mapping);
  if (result.kind === 'rejected') throw new Error(`${result.reason}: ${result.detail}`);
  return JSON.parse(result.bytes.toString());
}

const CLICK = { event_id: 'e1', ad_id: 'ad1', timestamp: '2026-11-21T10:00:00Z' };

describe('as they are', () => {
  test('a record that the decoder takes by now is sent byte for byte, keyed by its ad', () => {
    const text =
      ' {"ad_id":"\\u0061d1","timestamp":1795255200000, "event_id":"e1" , "event_id":"e2"}';
    expect(mend(text)).toEqual({ kind: 'click', bytes: Buffer.from(text), adId: 'ad1' });
  });

  test('a record with a time in the future is sent once that time has come', () => {
    const raw = Buffer.from(JSON.stringify({ ...CLICK, timestamp: '2026-11-21T11:00:00Z' }));
    const now = Date.parse('2026-11-21T10:54:59.999Z');
    expect(menderOf(undefined)(raw, FROM, now)).toMatchObject({ reason: 'timestamp_in_future' });
    expect(menderOf(undefined)(raw, FROM, now + 1)).toMatchObject({ kind: 'click' });
  });

  test.each(Object.entries(REJECT_EXAMPLES))('%s is not sent again', (reason, { value }) => {
    const raw = value === null ? null : Buffer.from(value);
    expect(menderOf(undefined)(raw, FROM, NOW_MS)).toMatchObject({ kind: 'rejected', reason });
  });
});

describe('by a mapping', () => {
  test('undoes percent encoding where it is asked for', () => {
    const mapping = BY_POSITION.replace('column: ad_id', 'column: ad_id, decode: percent');
    expect(mended({ ...CLICK, ad_id: '/a%20b' }, mapping)).toMatchObject({ ad_id: '/a b' });
  });

  test('the example does what it says: other names, digits kept, seconds', () => {
    const text = readFileSync(packageFile('examples', 'redrive.mapping.yaml'), 'utf8');
    const record = /^# {3}(\{.*\})$/m.exec(text)![1]!;
    const result = mend(record, text);
    if (result.kind === 'rejected') throw new Error(result.detail);
    expect(result.bytes.toString()).toBe(
      '{"click":9007199254740993,"campaign":"ad-1","at":1795255200,"cc":"US","device":"mobile",' +
        '"country":"US","event_id":"9007199254740993","ad_id":"ad-1","timestamp":1795255200000}',
    );
    expect(result.adId).toBe('ad-1');
  });

  test('the record of the how-to is quarantined as it says, and mended by the example', () => {
    const page = readFileSync(packageFile('docs', 'how-to', 'quarantine.md'), 'utf8');
    const written = /^echo '(.*)' \| npx truecount ingest -$/m.exec(page)![1]!;
    const record = written.replace("'$(date +%s)'", String(Math.floor(NOW_MS / 1_000)));
    expect(mend(record)).toMatchObject({ kind: 'rejected', reason: 'missing_field' });
    const text = readFileSync(packageFile('examples', 'redrive.mapping.yaml'), 'utf8');
    expect(mend(record, text)).toMatchObject({ kind: 'click', adId: 'ad-1' });
  });

  test('a time that is none is shown, of a long one the beginning', () => {
    const detail = (timestamp: string): unknown => mend({ ...CLICK, timestamp }, BY_POSITION);
    expect(detail('soon')).toMatchObject({
      detail: '"timestamp" is "soon", which is no time of the form rfc3339',
    });
    const long = `"timestamp" is "${'x'.repeat(40)}…", which is no time of the form rfc3339`;
    expect(detail('x'.repeat(1_000))).toMatchObject({ detail: long });
  });

  test('position keeps an id that is one, and gives one by position else', () => {
    expect(mended(CLICK, BY_POSITION)).toMatchObject({ event_id: 'e1' });
    const given = { event_id: 'redriven:clicks/3/1234' };
    for (const id of [undefined, null, '', 17, 'a\u0000', '\ud800', 'x'.repeat(1_025), ['e']]) {
      expect(mended({ ...CLICK, event_id: id }, BY_POSITION)).toMatchObject(given);
    }
  });

  test('a constant stands for a field that is not there', () => {
    const mapping = BY_POSITION.replace('{ column: ad_id }', '{ value: house }');
    const fields = `\nfields: { ad_format: { value: banner }, country: { column: nowhere } }`;
    const record = { ...CLICK, ad_id: undefined, country: 'US', n: 1 };
    expect(mended(record, mapping + fields)).toEqual({
      ...{ event_id: 'e1', ad_id: 'house', timestamp: Date.parse(CLICK.timestamp) },
      ...{ country: 'US', n: 1, ad_format: 'banner' },
    });
  });

  test.each([
    [{ ad_id: {} }, BY_POSITION, 'missing_field'],
    [{ timestamp: null }, BY_POSITION, 'missing_field'],
    [{ event_id: '' }, BY_POSITION.replace('position: true', 'column: event_id'), 'missing_field'],
    [{ timestamp: 'soon' }, BY_POSITION, 'bad_timestamp'],
    [{ timestamp: '2026-11-22T10:00:00Z' }, BY_POSITION, 'timestamp_in_future'],
    [{ ad_id: 'a\n' }, BY_POSITION, 'bad_id'],
  ])('what it cannot mend is told: %j', (change, mapping, reason) => {
    expect(mend({ ...CLICK, ...change }, mapping)).toMatchObject({ kind: 'rejected', reason });
  });

  test.each([
    'not_json',
    'not_object',
    'empty',
    'not_utf8',
    'too_deep',
    'record_too_large',
  ] as const)('nothing is taken out of %s', (reason) => {
    const { value } = REJECT_EXAMPLES[reason];
    const raw = value === null ? null : Buffer.from(value);
    const result = menderOf(parseMapping(BY_POSITION, 'test'))(raw, FROM, NOW_MS);
    expect(result).toMatchObject({ kind: 'rejected', reason });
  });

  test.each([
    ['csv', "{ delimiter: ';' }"],
    ['log', "{ format: '%h' }"],
  ])('%s has no place in it', (key, value) => {
    const mapping = parseMapping(`${BY_POSITION}\n${key}: ${value}`, 'm.yaml');
    expect(() => {
      checkRedriveMapping(mapping, 'm.yaml');
    }).toThrow(`mapping m.yaml: ${key}: `);
  });

  test('mending what was mended, from wherever it was quarantined again, gives the same click', () => {
    const mapping = parseMapping(BY_POSITION, 'test');
    const property = fc.property(
      fc.dictionary(fc.string(), fc.jsonValue()),
      fc.option(fc.string({ unit: 'binary' })),
      fc.nat(),
      (others, eventId, offset) => {
        const raw = Buffer.from(JSON.stringify({ ...others, ...CLICK, event_id: eventId }));
        const once = menderOf(mapping)(raw, FROM, NOW_MS);
        if (once.kind === 'rejected') throw new Error(once.detail);
        const byMs = parseMapping(BY_POSITION.replace('rfc3339', 'epoch_ms'), 'test');
        const twice = menderOf(byMs)(once.bytes, { ...FROM, offset }, NOW_MS);
        expect(twice).toEqual(once);
        expect(parseClick(once.bytes, NOW_MS, [])).toMatchObject({ kind: 'click' });
      },
    );
    fc.assert(property);
  });
});
