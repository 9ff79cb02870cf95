import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { get, openApi } from './support/open-api.js';
import { Replica, servedCells } from './support/replica.js';
import { loadServed, servedWorlds, takeStep, type ServedWorld } from './support/served.js';
import { minuteMs, seedLog } from './support/world.js';

let open: Awaited<ReturnType<typeof openApi>>;
let publisher: pg.Client;
beforeAll(async () => {
  open = await openApi();
  await seedLog(open.database.pool, minuteMs(210));
  publisher = new pg.Client({ connectionString: open.database.url });
  await publisher.connect();
});
afterAll(async () => {
  await publisher.end();
  await open.close();
});

/** All pages from `after` on, by a page size. */
async function pagesOf(after: number, limit: number): Promise<Page[]> {
  const pages: Page[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const more = cursor === '' ? {} : { cursor };
    const { status, body } = await get(open.api, '/changes', { after, limit, ...more });
    expect(status).toBe(200);
    pages.push(body as Page);
    cursor = (body as Page).next.cursor;
  }
  return pages;
}

interface Page {
  readonly as_of: number;
  readonly changes: readonly { before: number; count: number; revision: number }[];
  readonly revisions: readonly { publication: number; hour: string; revision: number }[];
  readonly next: { readonly after: number; readonly cursor: string | null };
}

async function published(world: ServedWorld): Promise<void> {
  await loadServed(open.database.pool, world);
  for (let n = 1; n <= world.steps.length; n++) await takeStep(publisher, world, n);
}

test('pages of any size are the same walk: each changed cell once, in order, and no other', async () => {
  const property = fc.asyncProperty(servedWorlds, async (world) => {
    await published(world);
    const [whole] = await pagesOf(0, 10_000);
    for (const { before, count } of whole!.changes) expect(count).not.toBe(before);
    for (const limit of [1 + (whole!.changes.length >> 2), 7, 60]) {
      const pages = await pagesOf(0, limit);
      expect(pages.flatMap((page) => page.changes)).toEqual(whole!.changes);
      for (const page of pages.slice(0, -1)) expect(page.changes.length).toBeLessThanOrEqual(limit);
      const revisions = pages.flatMap((page) => page.revisions.map((r) => JSON.stringify(r)));
      expect([...new Set(revisions)]).toEqual(whole!.revisions.map((r) => JSON.stringify(r)));
      expect(pages.at(-1)!.next.after).toBe(whole!.as_of);
    }
  });
  await fc.assert(property, { numRuns: 6 });
});

test('a replica that reads only /changes equals the served table after each publication', async () => {
  const property = fc.asyncProperty(
    servedWorlds,
    fc.integer({ min: 1, max: 400 }),
    async (world, limit) => {
      await loadServed(open.database.pool, world);
      const replica = new Replica(open.api, limit);
      for (let n = 1; n <= world.steps.length; n++) {
        await takeStep(publisher, world, n);
        await replica.follow();
        expect(replica.asOf).toBe(n);
        expect(replica.sorted()).toEqual(await servedCells(open.database.pool));
      }
      const late = new Replica(open.api, 10_000);
      await late.follow();
      expect(late.sorted()).toEqual(replica.sorted());
    },
  );
  await fc.assert(property, { numRuns: 8 });
});

test('a walk that has begun ends where it began to, whatever is published meanwhile', async () => {
  const [world] = fc
    .sample(servedWorlds, { numRuns: 50, seed: 3 })
    .filter(
      ({ steps, generations }) => steps.length > 2 && generations.some((g) => g.rows.length > 1),
    );
  await loadServed(open.database.pool, world!);
  await takeStep(publisher, world!, 1);
  await takeStep(publisher, world!, 2);
  const first = (await get(open.api, '/changes', { after: 0, limit: 1 })).body as Page;
  const before = await pagesOf(0, 10_000);
  await takeStep(publisher, world!, 3);
  const rest = (
    await get(open.api, '/changes', { after: 0, limit: 10_000, cursor: first.next.cursor! })
  ).body as Page;
  expect([...first.changes, ...rest.changes]).toEqual(before[0]!.changes);
  expect(rest).toMatchObject({ as_of: 2, next: { after: 2, cursor: null } });
});

test('after retention has taken a generation, what needs it is 410 and the rest goes on', async () => {
  const counts = [1, ...new Array<number>(59).fill(0)];
  const generation = (n: number) => ({
    hour: 0,
    cut: [n, n, n],
    rows: [{ filter: '', ad: 'a', counts: counts.map((c) => c * n) }],
  });
  const step = (index: number) => ({ kind: 'publish' as const, generations: [index], further: 0 });
  await published({
    cells: [],
    late: [],
    generations: [1, 2, 3, 4].map(generation),
    steps: [step(0), step(1), step(2), step(3)],
  });
  await open.database.pool.query(`
    with gone as (delete from generation_cells where generation = 2)
    update generations set collected_at = now() where id = 2`);
  for (const after of [0, 1, 2]) {
    const answer = await get(open.api, '/changes', { after });
    expect(answer).toMatchObject({ status: 410, body: { code: 'collected' } });
  }
  const kept = await get(open.api, '/changes', { after: 3 });
  expect(kept.body).toMatchObject({ changes: [{ before: 3, count: 4, revision: 4 }] });

  const range = { from: '2026-11-20T22', to: '2026-11-20T23' };
  const top = { window_size: 60, top_n: 1, at: range.to };
  for (const [path, query] of [
    ['/ads/a/aggregated_count', range],
    ['/ads/a/timeseries', range],
    ['/ads/popular_ads', top],
  ] as const) {
    const gone = await get(open.api, path, { ...query, as_of: 2 });
    expect(gone).toMatchObject({ status: 410, body: { code: 'collected' } });
    expect((await get(open.api, path, { ...query, as_of: 3 })).status).toBe(200);
    expect((await get(open.api, path, query)).status).toBe(200);
  }
});

const cursor = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
test.each([
  ['no JSON', 'x'],
  ['not of the form', cursor({ a: 1 })],
  ['before after', cursor([9, 1, 0])],
  ['beyond its end', cursor([5, 9, 0])],
  ['with a minute that is none', cursor([9, 8, 0, '', 'a', 60])],
  ['of an hour before all years', cursor([9, 8, -8_640_000_000_000_000])],
  ['of an hour after all years', cursor([9, 8, 8_640_000_000_000_000])],
  ['with text that Postgres cannot hold', cursor([9, 8, 0, '', '\u0000', 5])],
])('a cursor that is %s is refused', async (_, text) => {
  const answer = await get(open.api, '/changes', { after: 1, cursor: text });
  expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_argument' } });
});

test('what was published after the newest publication is not known', async () => {
  const answer = await get(open.api, '/changes', { after: 1_000_000 });
  expect(answer).toMatchObject({ status: 404, body: { code: 'not_found' } });
});
