import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { parseClick } from '../../core/click/parse.js';
import { DEFAULT_FROM_MS, generateClicks } from '../../ingest/generator/generate.js';
import type { GenerateOptions } from '../../ingest/generator/generate.js';

const LOAD: GenerateOptions = { clicks: 30_000, seed: 7, hours: 3 };

function written(options: GenerateOptions): Buffer[] {
  return Array.from(generateClicks(options), ({ line }) => Buffer.from(line));
}

function digest(lines: readonly Buffer[]): string {
  const hash = createHash('sha256');
  for (const line of lines) hash.update(line).update('\n');
  return hash.digest('hex');
}

/**
 * What the lines count to, by the words of the interface alone and as simply as possible: no code
 * of the generator and none of the product. Lines that are no clicks are told by a list of checks.
 */
function recount(lines: readonly Buffer[], mapUk: boolean) {
  const seen = new Set<string>();
  const cells = new Map<string, number>();
  const result = { cells, countable: 0, duplicates: 0, malformed: 0 };
  for (const bytes of lines) {
    const click = read(bytes);
    if (click === undefined) {
      result.malformed += 1;
      continue;
    }
    const hour = Math.floor(click.ms / 3_600_000);
    const identity = JSON.stringify([click.ad_id, click.event_id, hour]);
    if (seen.has(identity)) {
      result.duplicates += 1;
      continue;
    }
    seen.add(identity);
    result.countable += 1;
    const country = dimensionValue(click['country']);
    const filters = [
      '',
      `country:${mapUk && country === 'UK' ? 'GB' : country}`,
      `device:${dimensionValue(click['device'])}`,
      `format:${dimensionValue(click['ad_format'])}`,
    ];
    for (const filter of filters) {
      const cell = JSON.stringify([click.ad_id, Math.floor(click.ms / 60_000) * 60_000, filter]);
      cells.set(cell, (cells.get(cell) ?? 0) + 1);
    }
  }
  return result;
}

type Read = Record<string, unknown> & { ad_id: string; event_id: string; ms: number };

function read(bytes: Buffer): Read | undefined {
  if (bytes.length > 262_144 || bytes.includes('[[[[[[[[')) return undefined;
  let value: Record<string, unknown> | null;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as typeof value;
  } catch {
    return undefined;
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return undefined;
  const { ad_id, event_id, timestamp } = value;
  for (const id of [ad_id, event_id]) {
    if (typeof id !== 'string' || id === '' || Buffer.byteLength(id) > 1024) return undefined;
    if (/[\p{Cc}\p{Cs}]/u.test(id)) return undefined;
  }
  const ms = typeof timestamp === 'string' ? fromText(timestamp) : timestamp;
  if (typeof ms !== 'number' || !(ms > 1e12 && ms < DEFAULT_FROM_MS + 1e9)) return undefined;
  return { ...value, ms } as Read;
}

function fromText(timestamp: string): number {
  return timestamp.startsWith('2025-02-30') ? NaN : Date.parse(timestamp);
}

function dimensionValue(value: unknown): string {
  if (value === undefined || value === null || value === '') return 'unknown';
  if (typeof value !== 'string' || Buffer.byteLength(value) > 256) return 'other';
  return /[\p{Cc}\p{Cs}]/u.test(value) ? 'other' : value;
}

describe('generateClicks', () => {
  it('gives the same bytes for the same options, in any iteration', () => {
    const load = generateClicks(LOAD);
    const first = Array.from(load, ({ line }) => Buffer.from(line));
    const truth = [...load.truth.cells()];
    expect(digest(written(LOAD))).toBe(digest(first));
    expect(digest(Array.from(load, ({ line }) => Buffer.from(line)))).toBe(digest(first));
    expect([...load.truth.cells()]).toEqual(truth);
  });

  it('gives the same bytes on every machine and in every version', () => {
    expect(digest(written({ clicks: 5_000, seed: 1 }))).toBe(
      '4b58409ae8dad8366c3fdeb51dd7145f930167126ac8e47a52e7a1e244011532',
    );
  });

  it('never gives a click ahead of where the load is, so a watermark means something', () => {
    const clicks = 20_000;
    const spanMs = 3 * 3_600_000;
    const fromMs = Date.UTC(2025, 10, 21, 8);
    written({ clicks, seed: 2 }).forEach((line, n) => {
      const timestamp = read(line)?.['timestamp'];
      // What is no click may say anything, on purpose.
      if (parseClick(line, fromMs + 2 * spanMs, []).kind !== 'click') return;
      const eventMs = typeof timestamp === 'number' ? timestamp : Date.parse(String(timestamp));
      expect(eventMs - fromMs, `line ${n}`).toBeLessThanOrEqual((n / clicks) * spanMs + 1);
    });
  });

  it('gives other clicks for another seed', () => {
    const ids = (seed: number): string[] =>
      written({ clicks: 200, seed }).flatMap((line) => read(line)?.event_id ?? []);
    const other = new Set(ids(2));
    expect(ids(1).filter((id) => other.has(id))).toEqual([]);
  });

  it.each([
    { name: 'three hours', options: LOAD },
    { name: 'UK mapped to GB', options: { ...LOAD, mapUk: true } },
    { name: 'one hour', options: { clicks: 8_000, seed: 3, hours: 1 } },
    { name: 'few clicks in many hours', options: { clicks: 3_000, seed: 4, hours: 48 } },
    { name: 'one ad only', options: { clicks: 5_000, seed: 5, hotShare: 1 } },
    { name: 'a seed above 32 bits', options: { clicks: 3_000, seed: 2 ** 52 + 1 } },
    { name: 'a single line', options: { clicks: 1, seed: 6 } },
    { name: 'nothing', options: { clicks: 0, seed: 6 } },
  ])('counts the same as a naive recount of its lines: $name', ({ options }) => {
    const { truth, ...load } = loaded(options);
    const naive = recount(load.lines, 'mapUk' in options && options.mapUk);
    const summary = truth.summary();
    const malformed = Object.values(summary.malformed).reduce((sum, n) => sum + n, 0);
    const cells = new Map(
      Array.from(truth.cells(), (c) => [JSON.stringify([c.adId, c.minuteMs, c.filter]), c.count]),
    );
    expect({ ...summary, malformed }).toEqual({
      sent: options.clicks,
      countable: naive.countable,
      duplicates: naive.duplicates,
      malformed: naive.malformed,
      cells: naive.cells.size,
    });
    expect(cells).toEqual(naive.cells);
  });

  it('lists the cells by ad, minute and filter, bytewise', () => {
    const cells = [...loaded(LOAD).truth.cells()];
    const keys = cells.map(
      (c) => [Buffer.from(c.adId), c.minuteMs, Buffer.from(c.filter)] as const,
    );
    const misplaced = keys.filter((b, i) => {
      const a = keys[i - 1];
      if (a === undefined) return false;
      return (Buffer.compare(a[0], b[0]) || a[1] - b[1] || Buffer.compare(a[2], b[2])) >= 0;
    });
    expect(misplaced).toEqual([]);
  });

  it('contains what makes counting hard', () => {
    const { truth, lines, keys } = loaded({ ...LOAD, clicks: 60_000 });
    const summary = truth.summary();
    const clicks = lines.flatMap((line) => read(line) ?? []);
    const share = (ad: string): number => keys.filter((key) => key === ad).length / keys.length;
    const hoursOf = new Map<string, Set<number>>();
    for (const { event_id: id, ms } of clicks) {
      hoursOf.set(id, (hoursOf.get(id) ?? new Set()).add(Math.floor(ms / 3_600_000)));
    }
    let backwards = 0;
    clicks.forEach(({ ms }, i) => (backwards += i > 0 && ms < clicks[i - 1]!.ms ? 1 : 0));
    expect(share('ad_0000')).toBeGreaterThan(0.15);
    expect(share('ad_0000')).toBeLessThan(0.25);
    expect(share('ad_0001')).toBeGreaterThan(5 * share('ad_0010'));
    expect(summary.duplicates / summary.sent).toBeGreaterThan(0.02);
    expect(new Set(Array.from(hoursOf.values(), (hours) => hours.size))).toContain(2);
    expect(backwards).toBeGreaterThan(clicks.length / 4);
    expect(clicks.map(({ country }) => country)).toEqual(expect.arrayContaining(['UK', 'GB']));
    expect(Object.keys(summary.malformed).length).toBeGreaterThanOrEqual(12);
  });

  it('names the reasons that the decoder gives', () => {
    const { truth, lines } = loaded({ clicks: 150_000, seed: 11 });
    const reasons: Record<string, number> = {};
    const appendMs = DEFAULT_FROM_MS + 4 * 3_600_000;
    for (const line of lines) {
      const result = parseClick(line, appendMs, []);
      if (result.kind === 'rejected') reasons[result.reason] = (reasons[result.reason] ?? 0) + 1;
    }
    expect(truth.summary().malformed).toEqual(reasons);
  });

  it.each([
    { clicks: -1, seed: 1 },
    { clicks: 1.5, seed: 1 },
    { clicks: 1, seed: NaN },
    { clicks: 1, seed: 1, hours: 0 },
    { clicks: 1, seed: 1, fromMs: 60_000 },
    { clicks: 1, seed: 1, hotShare: 2 },
  ])('refuses options out of range: %j', (options) => {
    expect(() => generateClicks(options)).toThrow(RangeError);
  });
});

function loaded(options: GenerateOptions) {
  const load = generateClicks(options);
  const lines: Buffer[] = [];
  const keys: string[] = [];
  for (const { line, key } of load) {
    lines.push(Buffer.from(line));
    keys.push(key);
  }
  return { truth: load.truth, lines, keys };
}
