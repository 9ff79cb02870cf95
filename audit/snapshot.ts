import type pg from 'pg';
import type { TimeRange } from '../core/range.js';
import { parseRuleSet } from '../core/rules/parse.js';
import { hashRuleSet } from '../core/rules/rule-set.js';
import type { RuleSet } from '../core/rules/rule-set.js';
import { Findings, plural, type Check } from './report.js';
import { exactNumber, rangeParameters } from './sql-check.js';

/** One partition as the snapshot has it; offsets as in `stream_progress`. */
export interface AuditedPartition {
  readonly slot: number;
  readonly topic: string;
  readonly partition: number;
  readonly nextOffset: number;
  readonly rebuildFrom: number;
  /** Loss intervals `[from, to)`, ascending. */
  readonly lost: readonly (readonly [from: number, to: number])[];
}

export interface AuditedHour {
  readonly cut: boolean;
  readonly pin: string;
  /** By slot; an absent slot of a cut hour is 0. */
  readonly cutAt: ReadonlyMap<number, number>;
  /** Named causes by slot. */
  readonly causes: ReadonlyMap<number, readonly string[]>;
}

/** What the log is compared by, read in the audit's one snapshot. */
export interface Snapshot {
  readonly partitions: readonly AuditedPartition[];
  /** Hours of the range by their first ms. */
  readonly hours: ReadonlyMap<number, AuditedHour>;
  /** Readable rule sets by hash. */
  readonly ruleSets: ReadonlyMap<string, RuleSet>;
}

/** Begins the audit's transaction: one snapshot for everything (I7), and nothing can be written. */
export async function beginSnapshot(client: pg.ClientBase): Promise<void> {
  await client.query('begin isolation level repeatable read, read only');
  // The snapshot stays open, idle at times, while the log is read; local to the transaction.
  await client.query(`set local idle_in_transaction_session_timeout = 0;
    set local statement_timeout = 0; set local timezone = 'UTC'; set local jit = off`);
}

export async function readSnapshot(
  client: pg.ClientBase,
  range: TimeRange | undefined,
): Promise<{ snapshot: Snapshot; ruleSetCheck: Check }> {
  const partitions = await readPartitions(client);
  const hours = await readHours(client, range);
  const { ruleSets, check } = await readRuleSets(client);
  return { snapshot: { partitions, hours, ruleSets }, ruleSetCheck: check };
}

async function readPartitions(client: pg.ClientBase): Promise<AuditedPartition[]> {
  const lost = await client.query<{ slot: number; from: string; to: string }>(
    `select slot, from_offset as from, to_offset as to from loss_intervals order by 1, 2`,
  );
  const { rows } = await client.query<Record<'topic' | 'next' | 'rebuild', string> & Slot>(
    `select slot, topic, partition, next_offset as next, rebuild_from as rebuild
       from stream_progress order by topic, partition`,
  );
  return rows.map((row) => ({
    slot: row.slot,
    topic: row.topic,
    partition: row.partition,
    nextOffset: exactNumber(row.next),
    rebuildFrom: exactNumber(row.rebuild),
    lost: lost.rows
      .filter(({ slot }) => slot === row.slot)
      .map(({ from, to }) => [exactNumber(from), exactNumber(to)]),
  }));
}

interface Slot {
  slot: number;
  partition: number;
}

async function readHours(
  client: pg.ClientBase,
  range: TimeRange | undefined,
): Promise<Map<number, AuditedHour>> {
  const { rows } = await client.query<{
    hour: Date;
    state: string;
    rule_set: string;
    cut: Record<string, number>;
    causes: Record<string, string[]>;
  }>(
    `select h.hour, h.state, h.rule_set,
            (select coalesce(json_object_agg(slot, next_offset), '{}')
               from hour_cuts c where c.hour = h.hour) as cut,
            (select coalesce(json_object_agg(slot, causes), '{}')
               from (select slot, json_agg(cause order by cause) as causes
                       from hour_causes x where x.hour = h.hour group by slot) as t) as causes
       from hours h where h.hour >= $1 and h.hour < $2`,
    rangeParameters(range),
  );
  return new Map(
    rows.map((row) => [
      row.hour.getTime(),
      {
        cut: row.state === 'cut',
        pin: row.rule_set,
        cutAt: bySlot(row.cut),
        causes: bySlot(row.causes),
      },
    ]),
  );
}

function bySlot<T>(object: Record<string, T>): Map<number, T> {
  return new Map(Object.entries(object).map(([slot, value]) => [Number(slot), value]));
}

/** All rule sets; one that is not what its hash says must not decide anything. */
async function readRuleSets(
  client: pg.ClientBase,
): Promise<{ ruleSets: Map<string, RuleSet>; check: Check }> {
  const { rows } = await client.query<{ hash: string; body: unknown }>(
    'select hash, body from rule_sets order by hash',
  );
  const ruleSets = new Map<string, RuleSet>();
  const findings = new Findings();
  for (const { hash, body } of rows) {
    const problem = ruleSetProblem(hash, body, ruleSets);
    if (problem !== null) findings.add(() => ({ rule_set: hash, problem }));
  }
  const check: Check = {
    invariant: 'I10',
    name: 'rule_sets',
    status: findings.count > 0 ? 'broken' : 'ok',
    detail:
      findings.count > 0
        ? `${plural(findings.count, 'rule set')} of ${String(rows.length)} are not what their hash says`
        : `each stored rule set is what its hash says (${String(rows.length)} rule sets)`,
    examples: findings.examples,
    checked: { 'rule sets': rows.length, findings: findings.count },
  };
  return { ruleSets, check };
}

function ruleSetProblem(hash: string, body: unknown, good: Map<string, RuleSet>): string | null {
  try {
    const ruleSet = parseRuleSet(body);
    const actual = hashRuleSet(ruleSet);
    if (actual !== hash) return `its body hashes to ${actual}`;
    good.set(hash, ruleSet);
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
