import { appendFileSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readItems } from '../../ingest/formats/read-items.js';
import { openRecordReader } from '../../ingest/formats/record-reader.js';
import type { RecordReader } from '../../ingest/formats/record-reader.js';
import { START, sampleOf } from '../../ingest/tail/known-file.js';
import type { Position } from '../../ingest/tail/known-file.js';
import { takePortion } from '../../ingest/tail/portion.js';
import { until } from '../support/until.js';
import { CSV, harnesses } from './support/harness.js';

const begin = harnesses();

function opened(state?: Position['reader']): RecordReader {
  const options = { format: 'csv', mapping: CSV, source: 'test' } as const;
  return openRecordReader({ ...options, state: state ?? undefined });
}

/** What was read: texts of clicks, rejections, and the words with which it ended. */
interface Reading {
  readonly clicks: string[];
  readonly rejects: unknown[];
  error: string | undefined;
}

/** As `ingest` reads the whole file. */
async function ingested(content: Buffer): Promise<Reading> {
  const reading: Reading = { clicks: [], rejects: [], error: undefined };
  const source = (async function* (): AsyncGenerator<Buffer> {
    yield Promise.resolve(content);
  })();
  try {
    for await (const item of readItems(source, opened())) {
      if (item.kind === 'record') reading.clicks.push(item.bytes.toString());
      else reading.rejects.push([item.line, item.column, item.reason]);
    }
  } catch (error) {
    reading.error = (error as Error).message;
  }
  return reading;
}

/** As the tail reads a file that grows to each of the sizes; it is restarted where `isNew` says. */
function followed(
  content: Buffer,
  sizes: readonly { readonly size: number; readonly isNew: boolean }[],
): Reading {
  const reading: Reading = { clicks: [], rejects: [], error: undefined };
  let position: Position = START;
  let reader: RecordReader | undefined;
  const readOn = (size: number, last: boolean): boolean => {
    const window = content.subarray(position.offset - position.tail.bytes, size);
    reader ??= opened(position.reader);
    const portion = takePortion(window, position, reader, last);
    if (!reader.isBetweenRecords()) reader = undefined;
    if (portion === undefined) return false;
    reading.clicks.push(...portion.records.map(({ bytes }) => bytes.toString()));
    reading.rejects.push(
      ...portion.rejects.map(({ line, column, reason }) => [line, column, reason]),
    );
    position = JSON.parse(JSON.stringify(portion.next)) as Position;
    return true;
  };
  try {
    for (const { size, isNew } of sizes) {
      if (isNew) reader = undefined;
      while (readOn(size, false)) continue;
    }
    while (readOn(content.length, true)) continue;
  } catch (error) {
    reading.error = (error as Error).message;
  }
  return reading;
}

const AT = '1700000000000';

describe('a CSV with line ends in quoted cells, as it grows', () => {
  it('has the clicks, ids, rejections and faults of an ingest of the whole file', async () => {
    const cell = fc.constantFrom(
      'x',
      '"x,y"',
      '"a\nb"',
      `"a\r\nEVIL,${AT},p\nb"`,
      '"a""\n""b"',
      '',
    );
    const row = fc.oneof(
      { weight: 8, arbitrary: cell.map((text) => `ad,${AT},${text}`) },
      { weight: 3, arbitrary: cell.map((text) => `${text},${AT},e`) },
      // Stray and unpaired quotes, other numbers of columns, no time, nothing.
      fc.constantFrom('a"b', `a,${AT},"x`, `a,${AT},"x"y`, `a,never,"\n"`, `"`, '', '""', 'a,b'),
    );
    const file = fc.record({
      mark: fc.constantFrom('', '\ufeff'),
      head: fc.constantFrom('ad,at,d', 'ad,at,"d\nd"', '"ad","at",d'),
      rows: fc.array(row, { maxLength: 25 }),
      end: fc.constantFrom('\n', '\r\n'),
      isEnded: fc.boolean(),
      cuts: fc.array(fc.record({ size: fc.nat(900), isNew: fc.boolean() }), { maxLength: 12 }),
    });
    let faults = 0;
    let clicks = 0;
    const property = fc.asyncProperty(file, async ({ mark, head, rows, end, isEnded, cuts }) => {
      const content = Buffer.from(mark + [head, ...rows].join(end) + (isEnded ? end : ''));
      const sizes = cuts
        .map((cut) => ({ ...cut, size: Math.min(cut.size, content.length) }))
        .sort((a, b) => a.size - b.size);
      const whole = await ingested(content);
      expect(followed(content, sizes)).toEqual(whole);
      clicks += whole.clicks.length;
      faults += whole.error === undefined ? 0 : 1;
    });
    await fc.assert(property, { numRuns: 1_000 });
    expect(clicks).toBeGreaterThan(1_000);
    expect(faults).toBeGreaterThan(10);
  });

  it('takes what is in front of a row over the limit, and refuses that as ingest does', async () => {
    const rows = `ad,at,d\na,${AT},x\nb,never,x\n`;
    const over = `c,${AT},"${`${'long'.repeat(25)}\n`.repeat(10_400)}`;
    for (const behind of ['', `"\nd,${AT},x\n`, 'x'.repeat(2_000_000)]) {
      const content = Buffer.from(`${rows}${over}${behind}`);
      const whole = await ingested(content);
      expect(whole).toMatchObject({
        clicks: { length: 1 },
        rejects: { length: 1 },
        error: expect.stringContaining('line 4, character 17') as string,
      });
      const sizes = [3_000, 600_000, rows.length + 1_000_001].map((size) => ({
        size,
        isNew: false,
      }));
      expect(followed(content, sizes)).toEqual(whole);
      // Seen at once, as soon as it is clear.
      expect(followed(content.subarray(0, rows.length + 1_000_001), sizes.slice(2))).toEqual(whole);
    }
  });

  it('counts line ends as bytes of a row: it is refused with the one that is too many', async () => {
    const content = Buffer.from(`ad,at,d\na,${AT},"${`${'x'.repeat(99)}\n`.repeat(10_050)}"\n`);
    const whole = await ingested(content);
    expect(whole.error).toContain('never closed');
    expect(followed(content, [{ size: content.length, isNew: false }])).toEqual(whole);
  });

  it('keeps the row as it stands in the file if it is rejected', () => {
    const content = Buffer.from(`ad,at,d\na,never,"x\r\ny"\r\nb,${AT},z\n`);
    const portion = takePortion(content, START, opened(), false)!;
    expect(portion.rejects.map(({ bytes }) => bytes?.toString())).toEqual(['a,never,"x\r\ny"\r']);
  });

  it('is read on behind what was left alone, with rows that end there', () => {
    const old = `ad,at,d\na,${AT},"x\ny"\nb,${AT},"x\n`;
    const content = Buffer.from(`${old}y"\nc,${AT},z\n`);
    const all = takePortion(content, START, opened(), false)!;
    const rest = takePortion(content, { ...START, from: old.length }, opened(), false)!;
    expect(rest.records).toEqual(all.records.slice(1));
    expect(rest.records).toHaveLength(2);
    expect(sampleOf(content)).toEqual(rest.next.tail);
  });
});

describe('a row with line ends', () => {
  const QUOTED = `a,${AT},"hello\nEVIL,${AT},phantom\nbye"\n`;

  it('is held back over restarts until it is closed, and none of its lines is a row', async () => {
    const h = begin({ format: 'csv', mapping: CSV });
    const path = h.path('a.csv');
    writeFileSync(path, `ad,at,d\nfirst,${AT},x\n`);
    for (const piece of QUOTED.split(/(?<=[\n,])/)) {
      h.start();
      appendFileSync(path, piece);
      await h.untilSent(1);
      await passesLooks(h);
      await h.stop();
    }
    h.start();
    appendFileSync(path, `last,${AT},x\n`);
    expect(await h.untilSent(3)).toEqual((await ingested(readFileSync(path))).clicks);
    expect(h.rejects).toEqual([]);
  });

  it.each(['as it is', 'compressed'])(
    'that is the last of a rotated file needs no line end: %s',
    async (how) => {
      const h = begin({ patterns: ['a.csv'], format: 'csv', mapping: CSV, graceMs: 50 });
      const content = `ad,at,d\nfirst,${AT},x\n${QUOTED.trimEnd()}`;
      writeFileSync(h.path('a.csv'), content.slice(0, -5));
      h.start();
      await h.untilSent(1);
      await h.stop();
      appendFileSync(h.path('a.csv'), content.slice(-5));
      renameSync(h.path('a.csv'), h.path('a.csv.1'));
      if (how === 'compressed') h.gzip('a.csv.1');
      h.start();
      const { clicks } = await ingested(Buffer.from(content));
      expect(await h.untilSent(2)).toEqual(clicks);
    },
  );

  it('that a rotated file never closes sets it aside behind what is before it', async () => {
    const h = begin({ patterns: ['a.csv'], format: 'csv', mapping: CSV, graceMs: 50 });
    writeFileSync(h.path('a.csv'), `ad,at,d\nfirst,${AT},x\na,${AT},"x\nb,${AT},y\n`);
    h.start();
    await h.untilSent(1);
    renameSync(h.path('a.csv'), h.path('a.csv.1'));
    await until('it is set aside', () => h.tail!.files.problem());
    expect(h.tail!.files.problem()).toMatch(
      /a\.csv\.1: the CSV cannot be read from line 3, character 17 on: .* never closed/,
    );
    expect(h.texts()).toHaveLength(1);
    // Whoever writes on closes it, and the next start reads it.
    await h.stop();
    appendFileSync(h.path('a.csv.1'), '"\n');
    h.start();
    const whole = await ingested(readFileSync(h.path('a.csv.1')));
    expect(await h.untilSent(2)).toEqual(whole.clicks);
  });

  it('that stays open is said, since what is behind it waits', async () => {
    const h = begin({ format: 'csv', mapping: CSV, graceMs: 50 });
    writeFileSync(h.path('a.csv'), `ad,at,d\nfirst,${AT},x\na,${AT},"x\n`);
    h.start();
    await h.untilSent(1);
    await until('it is said', () => {
      appendFileSync(h.path('a.csv'), `b,${AT},y\n`);
      return h.logged.find((line) => line.includes('quoted cell'));
    });
    expect(h.logged.filter((line) => line.includes('quoted cell'))).toEqual([
      expect.stringContaining('line 3: '),
    ]);
    expect(h.texts()).toHaveLength(1);
  });
});

/** Until the tail has looked twice more. */
async function passesLooks(h: ReturnType<typeof begin>): Promise<void> {
  const observe = h.tail!.files.observe.bind(h.tail!.files);
  let looks = 0;
  h.tail!.files.observe = async () => {
    await observe();
    looks += 1;
  };
  await until('it has looked', () => looks >= 2);
}
