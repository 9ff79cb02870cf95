import type { Socket } from 'node:net';
import type pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DEFAULT_RULE_SET } from '../../core/rules/rule-set.js';
import { cutHours } from '../../runtime/cut-hours.js';
import { takePartition } from '../../store/progress.js';
import { beginWithRuleSet } from '../../store/rule-versions.js';
import { openSession } from '../../store/session.js';
import { freshDatabase } from '../support/stack.js';
import type { TestDatabase } from '../support/stack.js';
import { until } from '../support/until.js';

const HOUR_MS = 3_600_000;
const FROM_MS = Date.UTC(2025, 0, 1);
const LIMITS = { lockTimeoutMs: 1_000, idleInTransactionMs: 1_500, transactionMs: 3_000 };

/** `Parse` and the first half of a `Bind` of ten thousand bytes, as a frozen process leaves them. */
function halfOfABind(): Buffer {
  const message = (kind: string, body: Buffer): Buffer => {
    const head = Buffer.alloc(5);
    head.write(kind);
    head.writeInt32BE(body.length + 4, 1);
    return Buffer.concat([head, body]);
  };
  const parse = message('P', Buffer.from('half\0select length($1::text)\0\0\0'));
  const value = Buffer.alloc(10_000, 'x');
  const bind = message('B', Buffer.concat([Buffer.from('\0half\0\0\0\0\x01'), value]));
  return Buffer.concat([parse, bind.subarray(0, 5_000)]);
}

describe('a writer that is frozen in the middle of sending', () => {
  let database: TestDatabase;
  let frozen: pg.Client;
  let other: pg.Client;

  beforeEach(async () => {
    database = await freshDatabase();
    await beginWithRuleSet(database.pool, DEFAULT_RULE_SET);
    const session = { connection: { connectionString: database.url }, limits: LIMITS };
    frozen = await openSession({ ...session, applicationName: 'frozen' });
    other = await openSession({ ...session, applicationName: 'other' });
    await takePartition(other, 'clicks', 0, 'first');
  });
  afterEach(async () => {
    (frozen as unknown as { connection: { stream: Socket } }).connection.stream.destroy();
    await other.end();
    await database.close();
  });

  test('holds up neither a cut nor a successor for longer than a transaction may last', async () => {
    await frozen.query('begin');
    await frozen.query('select * from stream_progress for update');
    await frozen.query(
      'select pg_advisory_xact_lock_shared(hour_lock_class(), hour_lock_key($1))',
      [new Date(FROM_MS)],
    );
    const { stream } = (frozen as unknown as { connection: { stream: Socket } }).connection;
    stream.write(halfOfABind());
    await until('the server waits for the rest of the message', async () => {
      const { rows } = await database.pool.query(
        `select 1 from pg_stat_activity
          where application_name = 'frozen' and state = 'active' and wait_event = 'ClientRead'`,
      );
      return rows.length === 1;
    });

    const range = { fromMs: FROM_MS, toMs: FROM_MS + HOUR_MS };
    const [cut] = await cutHours(other, range, () => undefined);
    expect(cut!.cutNow).toBe(true);
    const taken = await takePartition(other, 'clicks', 0, 'second');
    expect(taken.epoch).toBe(2);
  });
});
