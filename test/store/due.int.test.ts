import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DEFAULT_RULE_SET, hashRuleSet } from '../../core/rules/rule-set.js';
import { dueWork } from '../../store/generations/due.js';
import type { DueWork } from '../../store/generations/due.js';
import { hourStates } from '../../store/generations/hours.js';
import { storeHour, storeRules } from '../support/cell-rows.js';
import { seedGeneration } from '../support/generations.js';
import { freshDatabase } from '../support/stack.js';
import type { TestDatabase } from '../support/stack.js';

const HOUR_MS = 3_600_000;
const FROM_MS = Date.UTC(2026, 0, 1);
const at = (hour: number): number => FROM_MS + hour * HOUR_MS;
const NOTHING: DueWork = { toCut: [], toRecompute: [], toExamine: [], waiting: [] };
const LATE_AFTER_MS = 300_000;

describe('what is due', () => {
  let database: TestDatabase;
  let publications: number;

  beforeEach(async () => {
    publications = 0;
    database = await freshDatabase();
    await storeRules(database, DEFAULT_RULE_SET);
    await sql(`insert into stream_progress (topic, partition) values ('t', 0), ('t', 1)`);
  });
  afterEach(() => database.close());

  const sql = (text: string, values: unknown[] = []) => database.pool.query(text, values);
  const due = (more = {}) =>
    dueWork(database.pool, { lateAfterMs: LATE_AFTER_MS, hoursMax: 10, ...more });

  async function openHours(count: number): Promise<void> {
    await sql('insert into hours (hour, rule_set) select unnest($1::timestamptz[]), $2', [
      Array.from({ length: count }, (_, i) => new Date(at(i))),
      hashRuleSet(DEFAULT_RULE_SET),
    ]);
  }

  /** The watermark is 30 s below the greatest event time, the grace 5 min. */
  async function eventsUpTo(ms: number): Promise<void> {
    await sql('update stream_progress set max_event_ms = $1, seen_at = now()', [ms]);
  }

  async function serve(generation: number, hour: number, revision = 1): Promise<void> {
    publications++;
    await sql(
      `insert into ledger (publication, kind, request, body, prev_hash, hash)
       values ($1, 'publish', $2, '{}', '', $2)`,
      [publications, `r${String(publications)}`],
    );
    await sql('insert into pointers values ($1, $2, $3, $4)', [
      new Date(at(hour)),
      revision,
      generation,
      publications,
    ]);
    await sql('update ledger_head set publication = $1', [publications]);
  }

  const seed = (hour: number, ...cut: number[]) =>
    seedGeneration(database.pool, {
      hourMs: at(hour),
      ruleSet: DEFAULT_RULE_SET,
      cut: cut.map((nextOffset, partition) => ({ topic: 't', partition, nextOffset })),
      cells: [['', 'ad', { 0: 1 }]],
    });

  async function late(hour: number, slot: number, ...offsets: number[]): Promise<void> {
    for (const offset of offsets) {
      await sql(`insert into late_clicks values ($1, $2, $3, 0, 'ad', '{}')`, [
        new Date(at(hour)),
        slot,
        offset,
      ]);
    }
  }

  async function flushed(slot: number, from: number, to: number, agoMs: number): Promise<void> {
    await sql(
      `insert into flushes (slot, from_offset, to_offset, epoch, counted, duplicate, filtered, late,
                            quarantined, lost, control, committed_at)
       values ($1, $2, $3, 1, 0, 0, 0, 0, 0, 0, 0, now() - $4 * interval '1 millisecond')`,
      [slot, from, to, agoMs],
    );
  }

  async function reconciled(
    hour: number,
    generation: number,
    decision: string,
    madeBy = 'settleDueHours x',
  ): Promise<void> {
    await sql(
      `insert into reconciliations (hour, generation, against, revision, clicks_base, clicks_new, clicks_moved,
         cells_compared, cells_differ, causes, drift, threshold, decision, reason, made_by)
       values ($1, $2, 'live', (select count(*) from pointers where hour = $1), 1, 1, 0, 1, 0, '{}', 0,
               0, $3, '', $4)`,
      [new Date(at(hour)), generation, decision, madeBy],
    );
  }

  test('nothing, where there is nothing', async () => {
    expect(await due()).toEqual(NOTHING);
  });

  test('an hour is cut when the watermark has passed its end by the grace, not before', async () => {
    await openHours(3);
    await eventsUpTo(at(1) + 300_000 + 30_000 - 1);
    expect(await due()).toEqual(NOTHING);
    await eventsUpTo(at(1) + 300_000 + 30_000);
    expect(await due()).toEqual({ ...NOTHING, toCut: [at(0)] });
    await eventsUpTo(at(9));
    expect(await due()).toEqual({ ...NOTHING, toCut: [at(0), at(1), at(2)] });
    expect(await due({ hoursMax: 2 })).toEqual({ ...NOTHING, toCut: [at(0), at(1)] });
    const range = { fromMs: at(1), toMs: at(2) };
    expect(await due({ range })).toEqual({ ...NOTHING, toCut: [at(1)] });
  });

  test('without a watermark an hour is cut once every partition is read to its end', async () => {
    await openHours(1);
    await sql('update stream_progress set seen_at = now(), at_end_since = now() where slot = 1');
    expect(await due()).toEqual(NOTHING);
    await sql('update stream_progress set seen_at = now(), at_end_since = now()');
    expect(await due()).toEqual({ ...NOTHING, toCut: [at(0)] });
  });

  test('a cut hour is recomputed until something serves it', async () => {
    await storeHour(database, at(0), DEFAULT_RULE_SET);
    expect(await due()).toEqual({ ...NOTHING, toRecompute: [at(0)] });
    await serve(await seed(0), 0);
    expect(await due()).toEqual(NOTHING);
  });

  test('an hour that a reconciliation holds waits for a person', async () => {
    const generation = await seed(0);
    await reconciled(0, generation, 'hold');
    expect(await due()).toEqual({ ...NOTHING, waiting: [at(0)] });
    await reconciled(0, generation, 'publish_alert');
    expect(await due()).toEqual({ ...NOTHING, toRecompute: [at(0)] });
  });

  test('what a person held of an hour stops no automation', async () => {
    const generation = await seed(0);
    await reconciled(0, generation, 'hold', 'reconcileHour by-hand');
    expect(await due()).toEqual({ ...NOTHING, toRecompute: [at(0)] });
    await reconciled(0, generation, 'hold');
    await reconciled(0, generation, 'publish', 'reconcileHour by-hand');
    expect(await due()).toEqual({ ...NOTHING, waiting: [at(0)] });
  });

  test('a final hour is examined when its oldest unexamined late click is old enough', async () => {
    await flushed(1, 0, 10, 900_000);
    await flushed(1, 10, 20, LATE_AFTER_MS + 1_000);
    await flushed(1, 20, 30, LATE_AFTER_MS - 60_000);
    await flushed(2, 0, 30, LATE_AFTER_MS - 60_000);
    await serve(await seed(0, 10, 5), 0);
    await late(0, 1, 8, 9);
    expect(await due()).toEqual(NOTHING);
    await late(0, 1, 21);
    await late(0, 2, 7);
    expect(await due()).toEqual(NOTHING);
    await late(0, 1, 15);
    expect(await due()).toEqual({ ...NOTHING, toExamine: [at(0)] });
    await late(1, 1, 16);
    expect(await due({ hoursMax: 1 })).toEqual({ ...NOTHING, toExamine: [at(0)] });
  });

  test('what a confirmation has examined is not due again, and counts as examined', async () => {
    await flushed(1, 0, 30, LATE_AFTER_MS + 1_000);
    const generation = await seed(0, 10);
    await serve(generation, 0);
    await late(0, 1, 12, 15);
    expect(await due()).toEqual({ ...NOTHING, toExamine: [at(0)] });
    await sql('insert into examined_cuts values ($1, 2, 1, 15)', [generation]);
    expect((await hourStates(database.pool, [at(0)]))[0]!.latePending).toBe(2);
    await sql('update ledger_head set publication = 2');
    expect((await hourStates(database.pool, [at(0)]))[0]!.latePending).toBe(1);
    await late(0, 1, 14);
    await sql('insert into examined_cuts values ($1, 2, 2, 1)', [generation]);
    expect((await hourStates(database.pool, [at(0)]))[0]!.latePending).toBe(1);
    await sql('update examined_cuts set next_offset = 16 where publication = 2 and slot = 1');
    expect(await due()).toEqual(NOTHING);
    expect((await hourStates(database.pool, [at(0)]))[0]!.latePending).toBe(0);
  });

  test('a held hour is left alone; a hold of a reconciliation ends with the next publication', async () => {
    await flushed(1, 0, 30, LATE_AFTER_MS + 1_000);
    const generation = await seed(0, 10);
    await serve(generation, 0);
    await late(0, 1, 12);
    await reconciled(0, generation, 'hold');
    expect(await due()).toEqual({ ...NOTHING, waiting: [at(0)] });
    await serve(generation, 0, 2);
    expect(await due()).toEqual({ ...NOTHING, toExamine: [at(0)] });
    await sql(`insert into hour_holds (hour, publication, reason) values ($1, 2, 'rolled back')`, [
      new Date(at(0)),
    ]);
    expect(await due()).toEqual(NOTHING);
  });

  test('the standing of an hour: pin, cut, what serves, late clicks, causes and losses', async () => {
    const cut = [
      { topic: 't', partition: 0, nextOffset: 10 },
      { topic: 't', partition: 1, nextOffset: 5 },
    ];
    await storeHour(database, at(0), DEFAULT_RULE_SET, cut);
    await sql('insert into hours (hour, rule_set) values ($1, $2)', [
      new Date(at(1)),
      hashRuleSet(DEFAULT_RULE_SET),
    ]);
    const generation = await seed(0, 10, 5);
    await serve(generation, 0);
    await flushed(1, 0, 30, 60_000);
    await late(0, 1, 12, 13);
    await sql(`insert into hour_causes values ($1, 1, 'dedupe_overflow', 'too many')`, [
      new Date(at(0)),
    ]);
    await sql(`insert into loss_intervals values (1, 9, 11, 'damage'), (2, 5, 6, 'gap')`);
    await sql(`insert into archive_losses values (2, 0, 2, 'retention')`);
    const [first, second] = await hourStates(database.pool, { fromMs: at(0), toMs: at(2) });
    const committed = await sql('select committed_at from flushes');
    const { checksum } = (await sql('select checksum from generations')).rows[0] as {
      checksum: string;
    };
    const pin = hashRuleSet(DEFAULT_RULE_SET);
    expect(first).toEqual({
      hourMs: at(0),
      pin,
      cut,
      revision: 1,
      served: { id: generation, ruleSet: pin, checksum, cut },
      held: false,
      latePending: 2,
      oldestLateMs: (committed.rows[0] as { committed_at: Date }).committed_at.getTime(),
      causes: [{ cause: 'dedupe_overflow', detail: 'too many' }],
      losses: [
        {
          by: 'archive',
          topic: 't',
          partition: 1,
          fromOffset: 0,
          toOffset: 2,
          reason: 'retention',
        },
        { by: 'stream', topic: 't', partition: 0, fromOffset: 9, toOffset: 11, reason: 'damage' },
      ],
    });
    expect(second).toMatchObject({
      hourMs: at(1),
      cut: null,
      revision: 0,
      served: null,
      latePending: 0,
      oldestLateMs: null,
    });
  });
});
