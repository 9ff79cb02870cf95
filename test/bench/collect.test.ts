import { describe, expect, it } from 'vitest';
import { cellsOf, different } from '../../bench/collect/cells.js';
import { ADS } from '../../bench/collect/clicks.js';
import { caughtUpMs, latencyRows } from '../../bench/collect/latency.js';
import { verdictOf } from '../../bench/collect/on-the-log.js';
import { growth, isFlat, tenths } from '../../bench/support/memory.js';

describe('latencies of the collector', () => {
  // Ten requests a second for 10 s; the broker is killed at 5.05 s and ready again at 7 s, when
  // requests wait for those before them for another half second.
  const startedMs = 1_000_000;
  const outage = { killedMs: startedMs + 5_050, readyMs: startedMs + 7_000 };
  const due = Array.from({ length: 100 }, (_, n) => 100 * n);
  const touched = (dueMs: number): boolean => dueMs >= 5_000 && dueMs < 7_500;
  const result = {
    requests: 100,
    startedMs,
    latenciesMs: Float64Array.from(due, (dueMs) => (touched(dueMs) ? 7_600 - dueMs : 8)),
    waitsMs: Float64Array.from(due, (dueMs) => (touched(dueMs) ? 7_550 - dueMs : 1)),
  };

  it('are told apart by whether the outage touched a request', () => {
    expect(caughtUpMs(result, 10, outage)).toBe(startedMs + 7_500);
    expect(latencyRows(result, { perSecond: 10 }, outage)).toEqual([
      { time: 'whole', requests: '70', 'p50 ms': '8.0', 'p99 ms': '2600.0', 'max ms': '2600.0' },
      {
        time: 'before the outage',
        requests: '20',
        'p50 ms': '8.0',
        'p99 ms': '8.0',
        'max ms': '8.0',
      },
      {
        time: 'after the outage',
        requests: '25',
        'p50 ms': '8.0',
        'p99 ms': '8.0',
        'max ms': '8.0',
      },
    ]);
  });

  it('have no row after an outage behind which what had gathered was not sent', () => {
    const never = { ...result, waitsMs: result.waitsMs.map((ms) => (ms === 1 ? Number.NaN : ms)) };
    expect(caughtUpMs(never, 10, outage)).toBeUndefined();
    expect(latencyRows(never, { perSecond: 10 }, outage)[2]).toMatchObject({ requests: '0' });
  });

  it('leave out what was not acknowledged', () => {
    const latenciesMs = Float64Array.from(due, (_, n) => (n % 2 === 0 ? Number.NaN : 3));
    const [whole] = latencyRows({ ...result, latenciesMs }, { perSecond: 10 }, undefined);
    expect(whole).toMatchObject({ requests: '35', 'max ms': '3.0' });
  });
});

describe('memory of a process', () => {
  it('is the largest of each tenth of the samples', () => {
    const samples = Array.from({ length: 40 }, (_, i) => (i % 4 === 2 ? 100 + i : 1));
    expect(tenths(samples)).toEqual([102, 106, 110, 114, 118, 122, 126, 130, 134, 138]);
    expect(tenths([5, 7])).toEqual([5, 7]);
    expect(tenths([])).toEqual([]);
  });

  it('is flat if its end is not a tenth above its beginning', () => {
    expect(isFlat([100, 90, 95, 200, 90, 90, 90, 90, 90, 110])).toBe(true);
    expect(isFlat([100, 90, 95, 95, 95, 95, 95, 111, 90, 90])).toBe(false);
  });

  it('that grows is a failure, but in a run that is too short to tell', () => {
    const growing = Array.from({ length: 300 }, (_, i) => 1e6 * (100 + i));
    expect(growth('it', growing)).toEqual([expect.stringMatching(/grows: .* 129, 159, /)]);
    expect(growth('it', growing.slice(0, 200))).toEqual([]);
    expect(growth('it', growing.fill(1e8))).toEqual([]);
  });
});

describe('cells of what is on the log', () => {
  it('count each click once, in the total and by each of its filters', () => {
    const copies = new Uint16Array(2 * ADS);
    copies[3] = 2;
    copies[3 + ADS] = 1;
    copies[4] = 1;
    const cells = cellsOf(copies);
    expect(cells.size).toBe(8);
    expect([cells.get('ad-3 '), cells.get('ad-3 country:US'), cells.get('ad-4 ')]).toEqual([
      2, 2, 1,
    ]);
  });

  it('differ where a count is another, is missing, or is too many', () => {
    const expected = new Map([
      ['a ', 1],
      ['b ', 2],
      ['c ', 3],
    ]);
    const counted = new Map([
      ['a ', 1],
      ['b ', 3],
      ['d ', 1],
    ]);
    expect(different(expected, counted)).toBe(3);
    expect(different(expected, expected)).toBe(0);
  });
});

describe('what clients of the collector were told, beside the log', () => {
  const of = (copies: number[], acked: number[], others = { changed: 0, foreign: 0 }) =>
    verdictOf(Uint16Array.from(copies), (n) => acked.includes(n), others);

  it('may differ in clicks without an acknowledgement, and in copies', () => {
    expect(of([1, 2, 1, 0], [0, 1])).toMatchObject({
      acknowledged: 2,
      unacknowledged: 2,
      failures: [],
    });
  });

  it('fails where an acknowledged click is missing, or a record is none of theirs', () => {
    expect(of([1, 0, 1, 0], [0, 1]).failures).toEqual(['1 clicks are lost']);
    const others = of([1], [0], { changed: 2, foreign: 1_000 });
    expect(others.failures).toEqual(['2 clicks are changed', '1,000 clicks are foreign']);
  });
});
