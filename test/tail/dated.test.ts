import { describe, expect, it } from 'vitest';
import { isClosed, latestByFamily } from '../../ingest/tail/dated.js';
import type { SeenFile } from '../../ingest/tail/known-file.js';
import { seen } from './support/plan-values.js';

describe('isClosed', () => {
  const times = { nowMs: 1_000, graceMs: 100 };
  const quiet = { quietSinceMs: 900 };

  it.each<[string, Partial<SeenFile>, string, boolean]>([
    ['live', {}, '/l/a.log', false],
    ['renamed', { path: '/l/a.log.1' }, '/l/a.log', true],
    [
      'renamed, and written to just now',
      { path: '/l/a.log.1', quietSinceMs: 901 },
      '/l/a.log',
      false,
    ],
    ['deleted', { named: 'gone' }, '/l/a.log', true],
    ['gz', { gz: true }, '/l/a.log', true],
    [
      'dated, followed by a later one',
      { path: '/l/a-2026-11-20.log' },
      '/l/a-2026-11-20.log',
      true,
    ],
    ['dated, the last one', { path: '/l/a-2026-11-21.log' }, '/l/a-2026-11-21.log', false],
    [
      'dated by seconds, as rotatelogs does it',
      { path: '/l/access_log.1763683200' },
      '/l/access_log.1763683200',
      true,
    ],
    ['dated, in another folder', { path: '/m/a-2026-11-20.log' }, '/m/a-2026-11-20.log', false],
    [
      'dated, and written to after the later one appeared',
      { path: '/l/a-2026-11-20.log', mtimeMs: 601 },
      '/l/a-2026-11-20.log',
      false,
    ],
    ['of one of two ports', { path: '/l/clicks-8080.log' }, '/l/clicks-8080.log', false],
    ['of one of two servers', { path: '/l/s-100001.log' }, '/l/s-100001.log', false],
    ['of the first of two years', { path: '/l/y-2025.log' }, '/l/y-2025.log', false],
    ['in a dated folder', { path: '/l/2026-11-20/a.log' }, '/l/2026-11-20/a.log', false],
    ['of another family', { path: '/l/b-2026-11-20.log' }, '/l/b-2026-11-20.log', false],
  ])('of a file that is %s', (_, more, firstPath, expected) => {
    const file = seen('1:1', 'x', { ...quiet, ...more });
    const others = ['a-2026-11-20.log', 'a-2026-11-21.log', 'a.log', 'clicks-8081.log'];
    others.push('s-100002.log', 'y-2026.log', '2026-11-21/a.log', 'access_log.1763686800');
    const all = others.map((name, i) =>
      seen(`1:${String(i + 50)}`, 'x', { path: `/l/${name}`, appearedMs: 500 }),
    );
    expect(isClosed(file, { firstPath }, latestByFamily(all), times)).toBe(expected);
  });
});
