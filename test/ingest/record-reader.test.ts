import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PositionIds } from '../../ingest/formats/position-id.js';
import { readCsv } from '../../ingest/formats/read-items.js';
import { FORMATS, openRecordReader } from '../../ingest/formats/record-reader.js';
import type { Format, ReaderState } from '../../ingest/formats/record-reader.js';
import { rejection } from '../../ingest/formats/source-item.js';
import type { SourceItem } from '../../ingest/formats/source-item.js';
import { parseMapping } from '../../ingest/mapping/mapping.js';

const CSV = parseMapping(
  'event_id: {position: true}\nad_id: {column: ad}\n' +
    "timestamp: {column: at, format: 'yyyy-MM-dd HH:mm:ss'}\nfields: {device: {column: d}}",
  'test',
);
const LOG = parseMapping(
  'event_id: {position: true}\nad_id: {column: path}\ntimestamp: {column: time, format: clf}\n' +
    `log: {format: '%h [%{x}i] %t "%r" %s'}`,
  'test',
);

function mappingFor(format: Format): typeof CSV | undefined {
  if (format === 'ndjson') return undefined;
  return format.endsWith('log') ? LOG : CSV;
}

/** What items are, as plain data. */
function plain(items: readonly SourceItem[]): unknown[] {
  return items.map((item) =>
    item.kind === 'record' ? [item.line, item.bytes.toString(), item.key.toString()] : item,
  );
}

interface Reading {
  readonly format: Format;
  readonly source?: string | undefined;
}

/** Reads lines up to one that cannot be, with a new reader from the saved state in front of each line in `restarts`. */
function readAll(
  reading: Reading,
  lines: readonly (Buffer | null)[],
  restarts: ReadonlySet<number>,
): SourceItem[] {
  const options = { ...reading, mapping: mappingFor(reading.format) };
  let reader = openRecordReader(options);
  const items: SourceItem[] = [];
  let pending: (Buffer | null)[] = [];
  let saved: ReaderState | undefined;
  for (const [index, line] of lines.entries()) {
    if (restarts.has(index)) {
      // As after a crash: on from the saved state, with the lines behind it once more.
      reader = openRecordReader({ ...options, state: saved });
      for (const again of pending) reader.read(again);
    }
    try {
      const item = reader.read(line);
      if (item !== null) items.push(item);
    } catch (error) {
      items.push(rejection(index, undefined, (error as Error).message));
      break;
    }
    if (reader.isBetweenRecords()) {
      saved = JSON.parse(JSON.stringify(reader.state())) as ReaderState;
      pending = [];
    } else pending.push(line);
  }
  return items;
}

const TIME = '2017-11-07 09:30:38';
const CLF = '17/May/2015:10:05:03 +0000';
const csvLine = fc.oneof(
  fc.constantFrom(`a,${TIME},x`, `b,${TIME},`, `"a,""1",${TIME},é`, `a,never,x`, `a,${TIME}`),
  fc.constantFrom(`a,${TIME},"two`, 'lines"', 'b",c,"', '', '\r', `a,${TIME},x"y`, `a\t${TIME}\tx`),
);
const logLine = fc.oneof(
  fc.constantFrom(`::1 - - [${CLF}] "GET /a?b=c HTTP/1.1" 200 17 "-" "curl"`, 'nonsense', ''),
  fc.constantFrom(`::1 - - [${CLF}] "GET /a HTTP/1.1" 200 17`, `::1 [q] [${CLF}] "GET /b" 200`),
);
const jsonLine = fc.constantFrom('{"ad_id":"a"}', '{"ad_id":"b"}', '', ' ', 'nonsense', '\r');
const HEAD: Partial<Record<Format, string>> = { csv: 'ad,at,d', tsv: 'ad\tat\td' };

const file = fc.constantFrom(...FORMATS).chain((format) => {
  const isCsv = HEAD[format] !== undefined;
  const line = isCsv ? csvLine : format === 'ndjson' ? jsonLine : logLine;
  return fc.record({
    format: fc.constant(format),
    source: fc.constantFrom(undefined, 'web-1'),
    lines: fc
      .array(fc.option(line, { freq: 20 }), { maxLength: 30 })
      .map((lines) => [HEAD[format] ?? '', ...lines.map((text) => text)]),
  });
});

describe('a record reader', () => {
  it('gives the same items when it is restarted anywhere as when it reads on', () => {
    const property = fc.property(file, fc.array(fc.nat(31)), (reading, restarts) => {
      const lines = reading.lines.map((text) => (text === null ? null : Buffer.from(text)));
      const { format, source } = reading;
      const options = { format, source };
      const whole = plain(readAll(options, lines, new Set()));
      expect(plain(readAll(options, lines, new Set(restarts)))).toEqual(whole);
    });
    fc.assert(property, { numRuns: 500 });
  });

  it('takes off a byte order mark and CRs by itself', () => {
    const lines = ['ad,at,d', `a,${TIME},x`].map((text) => Buffer.from(text));
    const marked = [Buffer.from('\ufeffad,at,d\r'), Buffer.from(`a,${TIME},x\r`)];
    const options = { format: 'csv' } as const;
    expect(plain(readAll(options, marked, new Set([1])))).toEqual(
      plain(readAll(options, lines, new Set())),
    );
  });

  it('stands in front of a row until all its lines were read', () => {
    const lines = ['ad,at,d', `a,${TIME},x`, `a,${TIME},"two`, 'lines"'].map((text) =>
      Buffer.from(text),
    );
    const reader = openRecordReader({ format: 'csv', mapping: CSV });
    const states = lines.map((line) => (reader.read(line), reader.state()));
    expect(states.map(({ line, row }) => [line, row])).toEqual([
      [1, 0],
      [2, 1],
      [2, 1],
      [4, 2],
    ]);
    expect(states[2]).toEqual(states[1]);
  });

  it('refuses a log without a mapping, and a mapping that asks for what the log has not', () => {
    const opened = (): unknown => openRecordReader({ format: 'combined-log' });
    expect(opened).toThrow(/needs a mapping/);
    const mapping = { ...LOG, ad_id: { column: 'campaign' } };
    const withColumn = (): unknown => openRecordReader({ format: 'common-log', mapping });
    expect(withColumn).toThrow(
      'there is no column "campaign" in this log format; the columns are: remote_host, ident, ' +
        'user, time, request, status, bytes, method, target, path, query, protocol, query.NAME',
    );
  });
});

describe('ids by position', () => {
  const lines = ['ad,at,d', `a,${TIME},x`, `a,${TIME},x`].map((text) => Buffer.from(text));
  const idsFor = (format: Format, source?: string, head = lines): string[] =>
    readAll({ format, source }, head, new Set()).flatMap((item) =>
      item.kind === 'record'
        ? [(JSON.parse(item.bytes.toString()) as { event_id: string }).event_id]
        : [],
    );

  it('are those that the first release gave: golden values', async () => {
    const text =
      `ad,at,d\na,${TIME},x\na,never,x\n"b,""1""",2017-11-07 09:30:39,"y\r\nz"\na,b"c,d\n` +
      'b,2017-11-07 09:30:39\nc,2017-11-07 09:30:40,é\n';
    const ids: unknown[] = [];
    const source = (async function* (): AsyncGenerator<Buffer> {
      yield Promise.resolve(Buffer.from(text));
    })();
    for await (const item of readCsv(source, CSV)) {
      const id =
        item.kind === 'record' &&
        (JSON.parse(item.bytes.toString()) as { event_id: string }).event_id;
      ids.push([item.line, id]);
    }
    expect(ids).toEqual([
      [2, '1-VyIa-O61ONdSDsKmd6txRg'],
      [3, false],
      [5, '3-nZucPLOVGROOXAL1ms_MXQ'],
      [6, false],
      [7, false],
      [8, '5-8liOdYuB-_X1J2HV5A4Ybg'],
    ]);
  });

  it('differ by source, for logs as well', () => {
    const log = [Buffer.from(`::1 - - [${CLF}] "GET /a HTTP/1.1" 200 17`)];
    for (const [format, head] of [
      ['csv', lines],
      ['common-log', log],
    ] as const) {
      const all = ['a', 'b', undefined].flatMap((source) => idsFor(format, source, [...head]));
      expect(new Set(all).size).toBe(all.length);
      expect(all.length).toBeGreaterThanOrEqual(3);
      expect(idsFor(format, 'a', [...head])).toEqual(all.slice(0, all.length / 3));
    }
  });

  it('of a log depend on its bytes, not on the format or what is taken of it', () => {
    const line = Buffer.from(`::1 - - [${CLF}] "GET /a HTTP/1.1" 200 17`);
    const mapping = { ...LOG, log: { format: '%h %l %u %t "%r" %>s %b' } };
    const custom = openRecordReader({ format: 'log', mapping }).read(line);
    const common = openRecordReader({ format: 'common-log', mapping: LOG }).read(line);
    expect(custom).toEqual(common);
    expect(custom?.kind).toBe('record');
  });

  it('go on from a state', () => {
    const first = new PositionIds(['a'], 'web-1');
    first.next(['1']);
    const second = new PositionIds(['a'], 'web-1', first.state());
    expect(second.next(['2'])).toBe(first.next(['2']));
  });
});

describe('the rows of a CSV', () => {
  it('are those that csv-parse finds, where it finds no fault', async () => {
    const cell = fc.oneof(
      fc.stringMatching(/^[a-c,;"\né ]{0,6}$/).map((text) => `"${text.replaceAll('"', '""')}"`),
      fc.stringMatching(/^[a-c;é ]{0,4}$/),
      fc.stringMatching(/^[a-c,"\n]{0,4}$/),
    );
    const rows = fc.array(fc.array(cell, { minLength: 2, maxLength: 2 }), { maxLength: 8 });
    let compared = 0;
    const property = fc.asyncProperty(rows, async (cells) => {
      const text = `ad,d\n${cells.map((row) => row.join(',')).join('\n')}\n`;
      let expected: string[][];
      try {
        expected = parse(text, { relax_column_count: true, skip_empty_lines: true }).slice(1);
      } catch {
        return;
      }
      const mapping = {
        event_id: { position: true },
        ad_id: { value: 'x' },
        timestamp: { column: 'ad', format: 'epoch_ms' },
      } as const;
      const source = (async function* (): AsyncGenerator<Buffer> {
        yield Promise.resolve(Buffer.from(text));
      })();
      const reasons: string[] = [];
      for await (const item of readCsv(source, mapping)) {
        reasons.push(item.kind === 'rejected' ? item.reason : 'none');
      }
      const wanted = expected.map((row): unknown =>
        row.length === 2 ? expect.stringContaining(JSON.stringify(row[0])) : `${row.length} col`,
      );
      expect(reasons.map((reason) => /^\d+ col/.exec(reason)?.[0] ?? reason)).toEqual(wanted);
      compared += expected.length;
    });
    await fc.assert(property, { numRuns: 400 });
    expect(compared).toBeGreaterThan(200);
  });
});
