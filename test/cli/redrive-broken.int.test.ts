import { afterEach, beforeEach, expect, test } from 'vitest';
import type pg from 'pg';
import { spawnTruecount, type Outcome } from '../support/command-line.js';
import { cellDifferences, liveCells, type Cells } from '../support/stream.js';
import { until } from '../support/until.js';
import { OTHER_NAMES, PAGE_RECORDS, RedriveBed, addTo, otherNames } from './support/redrive-bed.js';

const RECORDS = 3 * PAGE_RECORDS;
/** Gives every record another id than OTHER_NAMES does: sent by both, it counts twice. */
const OTHER_IDS = OTHER_NAMES.replace('{ column: click }', '{ position: true }');

/** Runs of a test: one that fails leaves none of them waiting. */
const held: HeldRun[] = [];
let bed: RedriveBed;
let pool: pg.Pool;
let truth: Cells;

beforeEach(async () => {
  bed = await RedriveBed.open();
  ({ pool } = bed.database);
  truth = new Map();
  for (let i = 0; i < RECORDS; i++) addTo(truth, i);
  await bed.send(Array.from({ length: RECORDS }, (_, i) => otherNames(i)));
  expect(await bed.flow()).toMatchObject({ counted: 0, quarantined: RECORDS });
});
afterEach(async () => {
  for (const run of held.splice(0)) run.abandon();
  await bed.close();
});

async function countsEachOnce(duplicate: number): Promise<void> {
  await bed.counted();
  expect(cellDifferences(await liveCells(pool), truth)).toEqual([]);
  expect(await bed.flow()).toEqual({ counted: RECORDS, duplicate, quarantined: RECORDS });
}

/** A run that waits in Postgres at its second page, which is noted (`insert`) or sent (`update`). */
class HeldRun {
  private constructor(
    private readonly child: ReturnType<typeof spawnTruecount>,
    private readonly ended: Promise<Outcome>,
    private holder: pg.PoolClient | undefined,
  ) {}

  static async start(at: 'insert' | 'update', ...args: string[]): Promise<HeldRun> {
    await pool.query(`
      create function hold() returns trigger language plpgsql as $$ begin
        if exists (select from redriven where acked_at is not null) then
          perform pg_advisory_xact_lock(77);
        end if;
        return null;
      end $$;
      create trigger hold ${at === 'insert' ? 'after insert' : 'before update'}
        on redriven for each statement execute function hold()`);
    const holder = await pool.connect();
    await holder.query('select pg_advisory_lock(77)');
    const child = spawnTruecount(['quarantine', 'redrive', ...args], bed.env);
    let [stdout, stderr] = ['', ''];
    child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString('utf8')));
    child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString('utf8')));
    const ended = new Promise<Outcome>((resolve) =>
      child.once('close', (code) => {
        resolve({ code, stdout, stderr });
      }),
    );
    const run = new HeldRun(child, ended, holder);
    held.push(run);
    await until('the second page waits', async () => (await run.session()) !== undefined);
    return run;
  }

  /** The session of the run, while it waits. */
  async session(): Promise<number | undefined> {
    const { rows } = await pool.query<{ pid: number }>(
      `select pid from pg_stat_activity
        where datname = current_database() and wait_event = 'advisory'`,
    );
    return rows[0]?.pid;
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Ends its session, whatever it waits for; gives it once it is gone. */
  async endSession(pid: number): Promise<void> {
    await pool.query('select pg_terminate_backend($1)', [pid]);
    await until('its session is gone', async () => {
      const left = await pool.query('select from pg_stat_activity where pid = $1', [pid]);
      return left.rows.length === 0;
    });
  }

  /** Lets the run go on, and others not wait. */
  letGo(): void {
    this.holder?.release(true);
    this.holder = undefined;
  }

  abandon(): void {
    this.letGo();
    this.child.kill('SIGKILL');
  }

  end(): Promise<Outcome> {
    return this.ended;
  }
}

test('killed between the log and its note, and run again, each counts once', async () => {
  const mapping = bed.mapping(OTHER_NAMES);
  const run = await HeldRun.start('update', '--reason', 'missing_field', '--mapping', mapping);
  expect(await bed.onLog()).toBe(RECORDS + 2 * PAGE_RECORDS);
  const pid = (await run.session())!;
  run.signal('SIGKILL');
  await run.end();
  await run.endSession(pid);
  run.letGo();

  const other = bed.mapping(`# another\n${OTHER_NAMES}`);
  expect(await bed.redrive('--all', '--mapping', other, '--plan')).toMatchObject({
    ...{ selected: RECORDS, sent: PAGE_RECORDS },
    ...{ sent_before: PAGE_RECORDS, perhaps_sent: PAGE_RECORDS },
  });
  const args = ['--reason', 'missing_field', '--mapping', mapping];
  expect(await bed.redrive(...args)).toMatchObject({
    ...{ selected: RECORDS, sent: 2 * PAGE_RECORDS },
    ...{ sent_before: PAGE_RECORDS, perhaps_sent: 0 },
  });
  await countsEachOnce(PAGE_RECORDS);
});

test('of two runs at once with different mappings, each record counts once', async () => {
  const mappings = [OTHER_NAMES, OTHER_IDS].map((text) => bed.mapping(text));
  const runs = await Promise.all(
    mappings.map((mapping) => bed.run('--all', '--mapping', mapping, '--json')),
  );
  // One is refused; or, where it came after the end of the other, it found nothing to send.
  const sent = runs.map(
    ({ stdout }) => (JSON.parse(stdout) as { sent?: number }).sent ?? 'refused',
  );
  expect(sent.sort()).toEqual([
    expect.toBeOneOf([0, RECORDS]),
    expect.toBeOneOf([RECORDS, 'refused']),
  ]);
  await countsEachOnce(0);
});

test('beside a run another is refused, and told which; a plan is not', async () => {
  const mapping = bed.mapping(OTHER_NAMES);
  const run = await HeldRun.start('update', '--all', '--mapping', mapping);
  const other = ['--all', '--mapping', bed.mapping(OTHER_IDS)];
  const refused = await bed.run(...other);
  expect(refused).toMatchObject({ code: 4, stdout: '' });
  expect(refused.stderr).toMatch(
    new RegExp(
      `error \\(conflict\\): another redrive is running: truecount redrive by \\S+@\\S+, ` +
        `Postgres session ${String(await run.session())} since \\S+Z\\n`,
    ),
  );
  expect(await bed.onLog()).toBe(RECORDS + 2 * PAGE_RECORDS);
  expect(await bed.redrive(...other, '--plan')).toMatchObject({ sent: PAGE_RECORDS });
  run.letGo();
  expect(await run.end()).toMatchObject({
    ...{ code: 0, stdout: expect.stringMatching(/^sent 600 of 600/) as string },
  });
  await countsEachOnce(0);
});

test('a run that loses its session before it notes a page ends, and sends none of it', async () => {
  const run = await HeldRun.start('insert', '--all', '--mapping', bed.mapping(OTHER_NAMES));
  await run.endSession((await run.session())!);
  run.letGo();
  const lost = await run.end();
  expect(lost.code).toBe(5);
  expect(lost.stderr).toMatch(/error \(dependency_unreachable\): Postgres does not answer/);
  expect(await bed.onLog()).toBe(RECORDS + PAGE_RECORDS);
  expect(await bed.redrive('--all', '--mapping', bed.mapping(OTHER_IDS))).toMatchObject({
    ...{ sent: 2 * PAGE_RECORDS, sent_before: PAGE_RECORDS, perhaps_sent: 0 },
  });
  await countsEachOnce(0);
});

test('a run that stands still, loses its session and then sends counts nothing twice', async () => {
  const mapping = bed.mapping(OTHER_NAMES);
  const run = await HeldRun.start('insert', '--all', '--mapping', mapping);
  const pid = (await run.session())!;
  run.signal('SIGSTOP');
  run.letGo();
  await until('the second page is noted', async () => {
    return (await pool.query('select from redriven')).rowCount === 2 * PAGE_RECORDS;
  });
  await run.endSession(pid);
  // Another takes over, and leaves out what may still be sent.
  expect(await bed.redrive('--all', '--mapping', bed.mapping(OTHER_IDS))).toMatchObject({
    ...{ sent: PAGE_RECORDS, sent_before: PAGE_RECORDS, perhaps_sent: PAGE_RECORDS },
  });
  run.signal('SIGCONT');
  expect((await run.end()).code).toBe(5);
  expect(await bed.onLog()).toBe(RECORDS + RECORDS);
  expect(await bed.redrive('--all', '--mapping', mapping)).toMatchObject({
    ...{ sent: PAGE_RECORDS, sent_before: 2 * PAGE_RECORDS, perhaps_sent: 0 },
  });
  await countsEachOnce(PAGE_RECORDS);
});
