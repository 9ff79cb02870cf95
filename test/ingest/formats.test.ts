import { existsSync, createReadStream, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseClick } from '../../core/click/parse.js';
import { readLines } from '../../ingest/formats/lines.js';
import { recordKey } from '../../ingest/formats/ndjson.js';
import { readCsv, readNdjson } from '../../ingest/formats/read-items.js';
import type { SourceItem } from '../../ingest/formats/source-item.js';
import { generateClicks } from '../../ingest/generator/generate.js';
import { parseMapping } from '../../ingest/mapping/mapping.js';
import { skipUnless } from '../support/skip-unless.js';

const BY_POSITION = parseMapping(
  'event_id: {position: true}\nad_id: {column: ad}\n' +
    "timestamp: {column: at, format: 'yyyy-MM-dd HH:mm:ss'}\nfields: {device: {column: d}}",
  'test',
);

async function* inChunks(text: string | Buffer, size = 7): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

function clicks(items: readonly SourceItem[]): Record<string, unknown>[] {
  return items.flatMap((item) =>
    item.kind === 'record' ? [JSON.parse(item.bytes.toString()) as Record<string, unknown>] : [],
  );
}

function rejections(items: readonly SourceItem[]): [number, string][] {
  return items.flatMap((item): [number, string][] =>
    item.kind === 'rejected' ? [[item.line, item.reason]] : [],
  );
}

describe('readLines', () => {
  it('gives the lines of any text, however it is cut into chunks', async () => {
    const line = fc.stringMatching(/^[a-é🌍 \r]{0,12}$/u).map((text) => text.replace(/\r+$/, ''));
    const property = fc.asyncProperty(
      fc.array(line, { minLength: 1 }),
      fc.constantFrom('\n', '\r\n'),
      fc.boolean(),
      fc.boolean(),
      fc.integer({ min: 1, max: 9 }),
      async (lines, end, closed, bom, size) => {
        const text = (bom ? '\ufeff' : '') + lines.join(end) + (closed ? end : '');
        const read = await all(readLines(inChunks(text, size), 100));
        const expected = closed || lines.at(-1) !== '' ? lines : lines.slice(0, -1);
        const first = bom && expected.length === 0 ? [''] : expected;
        expect(read.map(({ bytes }) => bytes?.toString())).toEqual(first);
        expect(read.map(({ line: number }) => number)).toEqual(first.map((_, i) => i + 1));
      },
    );
    await fc.assert(property, { numRuns: 300 });
  });

  it('keeps no line over the limit, and goes on behind it', async () => {
    const text = `\ufeff${'a'.repeat(10)}\n${'b'.repeat(11)}\r\n${'c'.repeat(10)}\r\n${'d'.repeat(50)}`;
    const read = await all(readLines(inChunks(text, 4), 10));
    const texts = read.map(({ bytes }) => bytes?.toString());
    expect(texts).toEqual(['a'.repeat(10), undefined, 'c'.repeat(10), undefined]);
  });
});

describe('readNdjson', () => {
  it('sends lines as they are, also those that are no clicks, but no empty ones', async () => {
    const text = '\ufeff{"ad_id":"a"}\r\n\r\nnonsense\n\n  \nlast';
    const items = await all(readNdjson(inChunks(text)));
    const sent = items.map((item) => item.kind === 'record' && item.bytes.toString());
    expect(sent).toEqual(['{"ad_id":"a"}', 'nonsense', '  ', 'last']);
    expect(items.map(({ line }) => line)).toEqual([1, 3, 5, 6]);
  });

  it('rejects a line that no broker would take', async () => {
    const text = `${'x'.repeat(1_000_001)}\n${'y'.repeat(1_000_000)}\n`;
    const items = await all(readNdjson(inChunks(text, 65_536)));
    expect(items.map(({ kind }) => kind)).toEqual(['rejected', 'record']);
    expect(rejections(items)[0]).toEqual([1, expect.stringContaining('1000000 bytes')]);
  });
});

describe('recordKey', () => {
  it('is the ad id that the decoder reads, for every click of a generated load', () => {
    let count = 0;
    const wrong: string[] = [];
    for (const { line } of generateClicks({ clicks: 20_000, seed: 5, withTruth: false })) {
      const bytes = Buffer.from(line);
      const decoded = parseClick(bytes, Infinity, []);
      if (decoded.kind !== 'click') continue;
      if (recordKey(bytes).toString() !== decoded.click.adId) wrong.push(bytes.toString());
      count += 1;
    }
    expect(wrong).toEqual([]);
    expect(count).toBeGreaterThan(19_000);
  });

  it.each([
    ['{"x":"ad_id","ad_id":"a","event_id":"e","timestamp":1600000000000}', 'a'],
    ['{"ad_id":"a","event_id":"e","timestamp":1600000000000,"x":{"ad_id":"b"}}', 'a'],
    ['{"ad_id":"a","event_id":"e","timestamp":1600000000000,"ad_id":"b"}', 'b'],
    ['{"ad_id":"a","event_id":"e","timestamp":1600000000000,"ad_\\u0069d":"b"}', 'b'],
    ['{"event_id":"e","timestamp":1600000000000,"ad_id" : "a"}', 'a'],
    ['{"event_id":"e","timestamp":1600000000000,"ad_id":"\\u00e9"}', 'é'],
    ['\ufeff{"event_id":"e","timestamp":1600000000000,"ad_id" : "a"}', 'a'],
  ])('of %s is %s', (line, key) => {
    expect(recordKey(Buffer.from(line)).toString()).toBe(key);
  });

  it('of what is no click is a hash of its bytes', () => {
    const key = recordKey(Buffer.from('nonsense')).toString();
    expect(key).toMatch(/^[0-9a-f]{32}$/);
    expect(recordKey(Buffer.from('nonsense')).toString()).toBe(key);
    expect(recordKey(Buffer.from('Nonsense')).toString()).not.toBe(key);
  });
});

describe('readCsv', () => {
  const HEAD = 'ad,at,d';

  it('reads quotes, a byte order mark, CR LF and a last line without end', async () => {
    const text =
      '\ufeff"ad",at,d\r\n"a,""1""",2017-11-07 09:30:38,"two\r\nlines"\r\n\r\nb,2017-11-07 09:30:39,';
    const items = await all(readCsv(inChunks(text), BY_POSITION));
    expect(clicks(items)).toMatchObject([
      { ad_id: 'a,"1"', timestamp: Date.UTC(2017, 10, 7, 9, 30, 38), device: 'two\r\nlines' },
      { ad_id: 'b', timestamp: Date.UTC(2017, 10, 7, 9, 30, 39) },
    ]);
    expect(clicks(items)[1]).not.toHaveProperty('device');
    const keys = items.map((item) => item.kind === 'record' && item.key.toString());
    expect(keys).toEqual(['a,"1"', 'b']);
  });

  it('rejects rows that are no clicks, with their line, and goes on', async () => {
    const text = [
      HEAD,
      'a,2017-11-07 09:30:38,x',
      'a,yesterday,x',
      ',2017-11-07 09:30:38,x',
      'a,2017-11-07 09:30:38',
      'a,2017-11-07 09:30:38,x,y',
      'a,2017-11-07 09:30:38,"x"y"z"',
      `a,2017-11-07 09:30:38,x"y`,
      'b,2017-11-07 09:30:38,x',
    ].join('\n');
    const items = await all(readCsv(inChunks(text), BY_POSITION));
    expect(clicks(items).map(({ ad_id: ad }) => ad)).toEqual(['a', 'b']);
    expect(rejections(items).sort(([a], [b]) => a - b)).toEqual([
      [3, expect.stringContaining('the time is unreadable: "yesterday" (expected yyyy-')],
      [4, 'the ad id is empty'],
      [5, '2 columns instead of 3'],
      [6, '4 columns instead of 3'],
      [7, expect.stringContaining('expected "," or the end of the row after the closing')],
      [8, expect.stringContaining('a quote inside a cell that does not begin with one')],
    ]);
  });

  it('rejects a row whose bytes are not UTF-8', async () => {
    const text = Buffer.from(`${HEAD}\na,2017-11-07 09:30:38,\xff\n`, 'latin1');
    expect(rejections(await all(readCsv(inChunks(text), BY_POSITION)))).toEqual([
      [2, expect.stringContaining('not valid UTF-8')],
    ]);
  });

  it('stops loudly at a quote that is never closed, and says in which row', async () => {
    const rows = ['a,2017-11-07 09:30:38,x', 'b,2017-11-07 09:30:38,"x', 'c,2017-11-07 09:30:38,x'];
    await expect(
      all(readCsv(inChunks([HEAD, ...rows].join('\n')), BY_POSITION)),
    ).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringContaining('from line 3, character 23 on') as string,
    });
  });

  it('stops loudly where such a quote swallows more than a record can hold', async () => {
    const text = `${HEAD}\na,2017-11-07 09:30:38,"${'x\n'.repeat(600_000)}`;
    await expect(all(readCsv(inChunks(text, 65_536), BY_POSITION))).rejects.toMatchObject({
      code: 'invalid_argument',
    });
  });

  it('passes on a failure to read the source', async () => {
    const broken = async function* (): AsyncGenerator<Buffer> {
      yield Buffer.from(`${HEAD}\n`);
      throw new Error('disk on fire');
    };
    await expect(all(readCsv(broken(), BY_POSITION))).rejects.toThrow('disk on fire');
  });

  it('refuses a file that does not fit the mapping', async () => {
    const reading = all(readCsv(inChunks('x,y\n1,2\n'), BY_POSITION));
    await expect(reading).rejects.toMatchObject({ code: 'invalid_mapping' });
  });

  it('finds no record in an empty file, whatever the mapping', async () => {
    for (const text of ['', '\ufeff', '\n\r\n']) {
      expect(await all(readCsv(inChunks(text), BY_POSITION))).toEqual([]);
      expect(await all(readCsv(inChunks(text)))).toEqual([]);
    }
  });

  it('takes names and delimiter from the mapping where the file has no header', async () => {
    const mapping = { ...BY_POSITION, csv: { delimiter: ';', columns: ['at', 'ad', 'd'] } };
    const items = await all(readCsv(inChunks('2017-11-07 09:30:38;a;x\n'), mapping));
    expect(clicks(items)).toMatchObject([{ ad_id: 'a', device: 'x' }]);
  });
});

describe('ids by position', () => {
  const ROWS = ['a,2017-11-07 09:30:38,x', 'a,2017-11-07 09:30:38,x', 'b,2017-11-07 09:30:39,y'];
  const idsOf = async (text: string, size?: number): Promise<unknown[]> =>
    clicks(await all(readCsv(inChunks(text, size), BY_POSITION))).map(({ event_id: id }) => id);
  const file = (rows: readonly string[], end = '\n'): string => ['ad,at,d', ...rows, ''].join(end);

  it('are the same for the same rows, and different for equal rows of one file', async () => {
    const ids = await idsOf(file(ROWS));
    expect(new Set(ids).size).toBe(3);
    expect(await idsOf(file(ROWS), 64)).toEqual(ids);
    expect(await idsOf(`\ufeff${file(ROWS, '\r\n')}`)).toEqual(ids);
  });

  it('stay when rows are appended', async () => {
    const ids = await idsOf(file(ROWS));
    const grown = await idsOf(file([...ROWS, 'c,2017-11-07 09:30:40,z']));
    expect(grown.slice(0, 3)).toEqual(ids);
  });

  it('differ between files that are equal only from some row on', async () => {
    const ids = new Set(await idsOf(file(ROWS)));
    const other = await idsOf(file(['c,2017-11-07 09:30:38,x', ...ROWS.slice(1)]));
    expect(other.filter((id) => ids.has(id))).toEqual([]);
  });
});

describe('the TalkingData sample through its example mapping', () => {
  const path = new URL('../../../shared/data/talkingdata_clicks_100k.csv', import.meta.url);
  const example = new URL('../../examples/talkingdata.mapping.yaml', import.meta.url);

  skipUnless(existsSync(path), 'the TalkingData sample is not on this machine')(
    'gives one click per row, each with its own id',
    async () => {
      const mapping = parseMapping(readFileSync(example, 'utf8'), 'talkingdata');
      const ids = new Set<string>();
      let withoutValue = 0;
      const channels = new Map<string, number>();
      for await (const item of readCsv(createReadStream(path), mapping)) {
        if (item.kind === 'rejected') throw new Error(`line ${item.line}: ${item.reason}`);
        const click = parseClick(item.bytes, Infinity, ['device', 'ad_format']);
        if (click.kind === 'rejected') throw new Error(`line ${item.line}: ${click.detail}`);
        ids.add(click.click.eventId);
        channels.set(click.click.adId, (channels.get(click.click.adId) ?? 0) + 1);
        if (click.click.fields.some(({ kind }) => kind !== 'value')) withoutValue += 1;
      }
      const rows = readFileSync(path, 'utf8').trimEnd().split('\n').slice(1);
      const expected = new Map<string, number>();
      for (const row of rows) {
        const channel = row.split(',')[4]!;
        expected.set(channel, (expected.get(channel) ?? 0) + 1);
      }
      expect(ids.size).toBe(rows.length);
      expect(withoutValue).toBe(0);
      expect(channels).toEqual(expected);
    },
  );
});
