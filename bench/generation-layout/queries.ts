/** The questions, and how each is put: through the view, in one statement, by ids known before. */
import type { Layout } from './layouts.js';
import { FIRST_HOUR_MS, HOUR_MS, REVISIONS, generationsOf } from './layouts.js';

/** What readers look through: every hour with the cells of its newest revision. */
export const RELATION = (layout: Layout): string => `
  create view served_cells as
  select p.hour, c.filter, c.ad_id, ${minuteColumns(layout)}
    from (select distinct on (hour) hour, generation from pointers order by hour, revision desc) p
    join generation_cells c on c.generation = p.generation
     ${layout.hasHour ? 'and c.hour = p.hour' : ''}`;

export interface Question {
  readonly name: 'one hour' | '24 hours' | 'top 10';
  readonly fromMs: number;
  readonly toMs: number;
  /** Absent: the ads with most clicks. */
  readonly adId?: string;
}

const MINUTE_MS = 60_000;

/** The k-th question of each kind; k moves it over days and ads. */
export function questions(k: number, adId: string): Question[] {
  const day = FIRST_HOUR_MS + ((k * 7) % 30) * 24 * HOUR_MS;
  const at = day + 13 * HOUR_MS;
  return [
    { name: 'one hour', fromMs: at, toMs: at + HOUR_MS, adId },
    { name: '24 hours', fromMs: day, toMs: day + 24 * HOUR_MS, adId },
    { name: 'top 10', fromMs: at + 20 * MINUTE_MS, toMs: at + 80 * MINUTE_MS },
  ];
}

/** The hours that a question touches, with their first and last minute from 1. */
function slices({ fromMs, toMs }: Question): [hourMs: number, first: number, last: number][] {
  const out: [number, number, number][] = [];
  for (let hour = Math.floor(fromMs / HOUR_MS) * HOUR_MS; hour < toMs; hour += HOUR_MS) {
    const first = Math.max(0, (fromMs - hour) / MINUTE_MS) + 1;
    out.push([hour, first, Math.min(60, (toMs - hour) / MINUTE_MS)]);
  }
  return out;
}

/** The newest generation of an hour. */
export function served(hourMs: number): number {
  const hour = (hourMs - FIRST_HOUR_MS) / HOUR_MS;
  return generationsOf(Math.floor(hour / 24), REVISIONS - 1)[hour % 24]!.id;
}

export type Way = 'view' | 'statement' | 'ids';
export const WAYS: readonly Way[] = ['view', 'statement', 'ids'];

/** A question as SQL with literals. */
export function sqlOf(layout: Layout, way: Way, question: Question): string {
  if (way === 'statement') {
    return statement(layout, question, {
      from: `'${iso(question.fromMs)}'::timestamptz`,
      to: `'${iso(question.toMs)}'::timestamptz`,
      ad: `'${question.adId ?? ''}'`,
    });
  }
  const parts = slices(question);
  const hours = parts.map(([hour]) => `'${iso(hour)}'`).join();
  const key = (hour: number) =>
    way === 'view' ? `'${iso(hour)}'::timestamptz` : `${String(served(hour))}::bigint`;
  const values = parts
    .map(([hour, first, last]) => `(${key(hour)}, ${String(first)}, ${String(last)})`)
    .join();
  const ids = parts.map(([hour]) => String(served(hour))).join();
  const column = way === 'view' ? 'hour' : 'generation';
  const where =
    way === 'view'
      ? `c.hour in (${hours})`
      : `c.generation in (${ids}) ${layout.hasHour ? `and c.hour in (${hours})` : ''}`;
  const ad = question.adId === undefined ? '' : `and c.ad_id = '${question.adId}'`;
  return aggregate(
    question,
    `select c.ad_id, ${clicks(layout)} as clicks
       from (values ${values}) s (${column}, first, last)
       join ${way === 'view' ? 'served_cells' : 'generation_cells'} c using (${column})
      where ${where} and c.filter = '' ${ad} ${minutesWhere(layout)}`,
  );
}

/**
 * The statement of a service: pointers as of a publication, then the cells, one lookup per hour
 * (`offset 0` keeps the order of the joins). Ends are given as SQL: literals or parameters.
 */
export function statement(
  layout: Layout,
  question: Question,
  sql: { from: string; to: string; ad: string },
): string {
  const ad = question.adId === undefined ? '' : `and ad_id = ${sql.ad}`;
  const hour = layout.hasHour ? 'and hour = s.hour' : '';
  return aggregate(
    question,
    `select c.ad_id, ${clicks(layout)} as clicks
       from hour_slices(${sql.from}, ${sql.to}) s
      cross join lateral (
        select generation from pointers
         where hour = s.hour and publication <= 1000000 order by revision desc limit 1
      ) p
      cross join lateral (
        select ad_id, ${minuteColumns(layout)} from generation_cells
         where generation = p.generation ${hour} and filter = '' ${ad} offset 0
      ) c
      where true ${minutesWhere(layout)} offset 0`,
  );
}

function aggregate(question: Question, cells: string): string {
  return question.adId === undefined
    ? `select ad_id, sum(clicks)::bigint as clicks from (${cells}) cell
        group by ad_id order by 2 desc, ad_id limit 10`
    : `select sum(clicks)::bigint as clicks from (${cells}) cell`;
}

const minuteColumns = ({ form }: Layout) => (form === 'cells' ? 'minute, count' : 'counts');
const clicks = ({ form }: Layout) =>
  form === 'cells' ? 'c.count::bigint' : 'clicks_between(c.counts, s.first, s.last)';
const minutesWhere = ({ form }: Layout) =>
  form === 'cells' ? 'and c.minute between s.first - 1 and s.last - 1' : '';
const iso = (ms: number) => new Date(ms).toISOString();
