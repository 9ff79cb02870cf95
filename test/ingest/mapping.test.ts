import { describe, expect, it } from 'vitest';
import { TruecountError } from '../../core/errors.js';
import { bindMapping } from '../../ingest/mapping/bind.js';
import { parseMapping } from '../../ingest/mapping/mapping.js';
import { timestampReader } from '../../ingest/mapping/timestamp.js';

const GOOD = `
event_id: { column: id }
ad_id: { column: campaign }
timestamp: { column: at, format: rfc3339 }
fields: { country: { column: cc }, ad_format: { value: banner } }
`;

function refusal(action: () => unknown): TruecountError {
  try {
    action();
  } catch (error) {
    if (error instanceof TruecountError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('parseMapping', () => {
  it('reads YAML and the same in JSON', () => {
    const mapping = parseMapping(GOOD, 'm.yaml');
    expect(mapping.fields).toEqual({ country: { column: 'cc' }, ad_format: { value: 'banner' } });
    expect(parseMapping(JSON.stringify(mapping), 'm.json')).toEqual(mapping);
  });

  it.each([
    ['no YAML', 'event_id: [', /neither YAML nor JSON/],
    ['a list', '- a', /is no mapping of keys/],
    ['nothing', '', /is no mapping of keys/],
    ['a missing key', GOOD.replace(/ad_id.*\n/, ''), /m\.yaml: ad_id: is missing/],
    ['an unknown key', `${GOOD}filters: {}`, /filters: there is no such key \(there are event_id,/],
    ['an id by position: false', GOOD.replace('column: id', 'position: false'), /event_id: is not/],
    [
      'a plain text for a column',
      GOOD.replace('{ column: campaign }', 'campaign'),
      /ad_id: is not/,
    ],
    [
      'a bad field',
      GOOD.replace('column: cc', 'columns: cc'),
      /fields\.country\.columns: there is no such key/,
    ],
    ['an unknown csv key', `${GOOD}csv: { separator: ";" }`, /csv\.?\w*: is not/],
    ['a long delimiter', `${GOOD}csv: { delimiter: "||" }`, /csv\.delimiter: is not/],
    ['a reserved field', GOOD.replace('country:', 'ad_id:'), /fields\.ad_id: belongs at the top/],
    ['a missing format', GOOD.replace(', format: rfc3339', ''), /timestamp: is not/],
    ['an unknown format', GOOD.replace('rfc3339', 'iso'), /"iso" is no time format.*lacks yyyy/],
    [
      'a decoding that is not there',
      GOOD.replace('column: cc', 'column: cc, decode: hex'),
      /fields\.country: is not/,
    ],
    ['a log without a format', `${GOOD}log: {}`, /log\.?\w*: is not/],
    [
      'a wrong log format',
      `${GOOD}log: { format: '%h %y' }`,
      /log\.format: no directive of Apache.*character 4/,
    ],
    ['half a pattern', GOOD.replace('rfc3339', 'yyyy-MM-dd'), /lacks HH, mm/],
    ['a part twice', GOOD.replace('rfc3339', 'yyyyMMdd HH:mm:mm'), /a part occurs twice/],
  ])('says where and what to write for %s', (_, text, message) => {
    const error = refusal(() => parseMapping(text, 'm.yaml'));
    expect(error.code).toBe('invalid_mapping');
    expect(error.message).toMatch(message);
    expect(error.message).toContain('m.yaml');
    expect(error.hint).toMatch(/\{.*\}/);
  });

  it('names all problems at once', () => {
    const error = refusal(() => parseMapping('ad_id: 7\nfields: { a: 1, b: { value: "" } }', 'm'));
    for (const place of ['event_id', 'timestamp', 'ad_id', 'fields.a', 'fields.b']) {
      expect(error.message).toContain(`${place}: `);
    }
  });
});

describe('the faults of a mapping', () => {
  const of = (text: string): { problems: unknown; hint: string | undefined } => {
    const { context, hint } = refusal(() => parseMapping(text, 'm'));
    return { problems: context['problems'], hint };
  };

  it('name a key that is misspelt, and the keys there are', () => {
    const { problems, hint } = of(
      'event_id: {colum: id}\nad_id: {column: ad, decod: percent}\n' +
        'timestamp: {column: at, format: clf, zone: UTC}\nfields: {a: {colum: b}}\ncsv: {separator: ";"}',
    );
    expect(problems).toEqual([
      'event_id.colum: there is no such key (there are column, decode, position)',
      'ad_id.decod: there is no such key (there are column, decode, value)',
      'timestamp.zone: there is no such key (there are column, format)',
      'fields.a.colum: there is no such key (there are column, decode, value)',
      'csv.separator: there is no such key (there are delimiter, columns)',
    ]);
    expect(hint!.split('\n')).toHaveLength(5);
  });

  it('are told at once, whatever kind they are of', () => {
    const { problems } = of(
      'event_id: 7\ntimestamp: {column: at, format: yyyy}\nlog: {format: "%h%u"}\n' +
        'fields: {ad_id: {column: a}}\nextra: 1',
    );
    expect(problems).toEqual([
      expect.stringMatching(/^extra: there is no such key/),
      'ad_id: is missing',
      'event_id: is not of the expected form',
      expect.stringMatching(/^fields\.ad_id: belongs at the top/),
      expect.stringMatching(/^timestamp\.format: /),
      expect.stringMatching(/^log\.format: /),
    ]);
  });

  it('come with what to write for the key that they are under', () => {
    const { problems, hint } = of(`${GOOD}\nlog: {format: "%h%u"}`);
    expect(problems).toHaveLength(1);
    expect(hint).toMatch(/^log: \{format: /);
    expect(hint).not.toContain('timestamp');
  });
});

describe('bindMapping', () => {
  const header = ['id', 'at', 'cc', 'campaign'];

  it('makes a click of a row, with constants, without empty cells', () => {
    const map = bindMapping(parseMapping(GOOD, 'm'), header);
    const row = map(['e"1', '2025-11-21T10:00:00+01:00', '', 'ad 1'], '');
    expect(row.kind === 'click' && JSON.parse(row.json)).toEqual({
      event_id: 'e"1',
      ad_id: 'ad 1',
      timestamp: Date.UTC(2025, 10, 21, 9),
      ad_format: 'banner',
    });
  });

  it.each([
    ['no event id', ['', '2025-11-21T10:00:00Z', 'US', 'a'], 0, 'the event id is empty'],
    ['no ad id', ['e', '2025-11-21T10:00:00Z', 'US', ''], 3, 'the ad id is empty'],
    ['a time without zone', ['e', '2025-11-21T10:00:00', 'US', 'a'], 1, /unreadable: "2025-11-2/],
    [
      'a very long time',
      ['e', 'x'.repeat(5_000), 'US', 'a'],
      1,
      /unreadable: "x{40}…" \(expected rfc3339\)$/,
    ],
    ['no UTF-8', ['e', '2025-11-21T10:00:00Z', '\ufffd', 'a'], 2, /not valid UTF-8/],
  ])('rejects a row with %s, and says in which cell', (_, row, cell, reason) => {
    const mapped = bindMapping(parseMapping(GOOD, 'm'), header)(row, '');
    const matching = expect.stringMatching(reason) as string;
    expect(mapped).toEqual({ kind: 'rejected', cell, reason: matching });
  });

  it('undoes percent encoding where it is asked for', () => {
    const mapping = parseMapping(
      'event_id: { column: id }\nad_id: { column: path, decode: percent }\n' +
        'timestamp: { column: at, format: epoch_ms }\nfields: { raw: { column: path } }',
      'm',
    );
    const row = bindMapping(mapping, ['id', 'at', 'path'])(['1', '1700000000000', '/a%20b'], '');
    expect(row).toMatchObject({ kind: 'click', adId: '/a b' });
    expect(row.kind === 'click' && row.json).toContain('"raw":"/a%20b"');
  });

  it('names a column that the header lacks or has twice, and the columns there are', () => {
    const mapping = parseMapping(GOOD, 'm');
    const lacking = refusal(() => bindMapping(mapping, ['id', 'at', 'campaign']));
    expect(lacking.message).toBe('there is no column "cc"; the columns are: id, at, campaign');
    const twice = refusal(() => bindMapping(mapping, [...header, 'cc']));
    expect(twice.message).toContain('column "cc" occurs twice');
    expect(twice.code).toBe('invalid_mapping');
  });

  it('takes columns by the names of a click where there is no mapping', () => {
    const map = bindMapping(undefined, ['ad_id', 'event_id', 'timestamp', 'device']);
    const at = Date.UTC(2025, 10, 21, 9, 0, 0, 5);
    for (const time of [String(at), '2025-11-21T09:00:00.005Z']) {
      const row = map(['a', 'e', time, 'tv'], '');
      const click = { event_id: 'e', ad_id: 'a', timestamp: at, device: 'tv' };
      expect(row.kind === 'click' && JSON.parse(row.json)).toEqual(click);
    }
  });
});

describe('timestampReader', () => {
  const at = Date.UTC(2017, 10, 7, 9, 30, 38);

  it.each([
    ['rfc3339', '2017-11-07T09:30:38Z', at],
    ['rfc3339', '2017-11-07 09:30:38', null],
    ['epoch_ms', String(at), at],
    ['epoch_ms', `${at}.5`, null],
    ['epoch_ms', ' 1', null],
    ['epoch_s', String(at / 1000), at],
    ['epoch_s', `${at / 1000}.25`, at + 250],
    ['epoch_s', `${at / 1000}.9999`, at + 999],
    ['epoch_s', '1e9', null],
    ['yyyy-MM-dd HH:mm:ss', '2017-11-07 09:30:38', at],
    ['yyyy-MM-dd HH:mm:ss', '2017-11-07 9:30:38', null],
    ['yyyy-MM-dd HH:mm:ss', '2017-11-07 09:30:38 ', null],
    ['yyyy-MM-dd HH:mm:ss', '2017-02-29 09:30:38', null],
    ['yyyy-MM-dd HH:mm:ss', '2016-02-29 09:30:38', Date.UTC(2016, 1, 29, 9, 30, 38)],
    ['yyyy-MM-dd HH:mm:ss', '2017-13-07 09:30:38', null],
    ['yyyy-MM-dd HH:mm:ss', '2017-11-07 24:00:00', null],
    ['yyyy-MM-dd HH:mm:ss', '2017-11-07 09:30:60', null],
    ['dd.MM.yyyy, HH:mm', '07.11.2017, 09:30', at - 38_000],
    ['dd.MM.yyyy, HH:mm', '07x11x2017, 09:30', null],
    ['yyyyMMddHHmmssSSS', '20171107093038042', at + 42],
    ['clf', '07/Nov/2017:09:30:38 +0000', at],
    ['clf', '07/Nov/2017:11:00:38 +0130', at],
    ['clf', '07/Nov/2017:00:30:38 -0900', at],
    ['clf', '01/Jan/2018:00:30:00 +0100', Date.UTC(2017, 11, 31, 23, 30)],
    ['clf', '07/Nov/2017:09:30:38', null],
    ['clf', '7/Nov/2017:09:30:38 +0000', null],
    ['clf', '31/Nov/2017:09:30:38 +0000', null],
    ['clf', '07/Nox/2017:09:30:38 +0000', null],
    ['clf', '07/Ovd/2017:09:30:38 +0000', null],
    ['clf', '07/Nov/2017:09:30:60 +0000', null],
    ['clf', '07/Nov/2017:09:30:38 +2460', null],
    ['[dd/MM/yyyy:HH:mm:ss]', '[07/11/2017:09:30:38]', at],
  ])('%s reads %s as %s', (format, text, expected) => {
    expect(timestampReader(format)(text)).toBe(expected);
  });
});
