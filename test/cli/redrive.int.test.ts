import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HOUR_MS, MINUTE_MS } from '../../core/time.js';
import { spawnTruecount, truecount } from '../support/command-line.js';
import { freshDatabase, freshTopic, kafkaBrokers, type TestDatabase } from '../support/stack.js';
import {
  cellDifferences,
  endOffsets,
  liveCells,
  produce,
  startWorker,
  untilCounted,
  type Cells,
  type LogRecord,
  type Worker,
} from '../support/stream.js';
import { until } from '../support/until.js';

const START_MS = Math.floor(Date.now() / HOUR_MS - 3) * HOUR_MS;
/** As cli/redrive.ts has it: the records that are written down at a time. */
const PAGE_RECORDS = 200;

const OTHER_NAMES = `
event_id: { column: click }
ad_id: { column: campaign }
timestamp: { column: at, format: epoch_s }
fields: { country: { column: cc } }`;
const NUMBER_ID = `
event_id: { column: event_id }
ad_id: { column: ad_id }
timestamp: { column: timestamp, format: epoch_ms }`;
const NO_ID = NUMBER_ID.replace('column: event_id', 'position: true');
const LOCAL_TIME = NUMBER_ID.replace('epoch_ms', 'yyyy-MM-dd HH:mm:ss');

interface Answer {
  readonly sent: number;
  readonly selected: number;
  readonly redrive: number | null;
}

/** One topic, its own database and a stream worker; and the command line on them. */
class Bed {
  private mappings = 0;

  private constructor(
    readonly topic: string,
    readonly database: TestDatabase,
    private readonly worker: Worker,
    readonly home: string,
  ) {}

  static async open(): Promise<Bed> {
    const [topic, database] = [await freshTopic(3), await freshDatabase()];
    const worker = startWorker(kafkaBrokers(), database, [topic]);
    return new Bed(topic, database, worker, mkdtempSync(join(tmpdir(), 'truecount-redrive-')));
  }

  get env(): Record<string, string> {
    return {
      TRUECOUNT_HOME: this.home,
      TRUECOUNT_POSTGRES_URL: this.database.url,
      TRUECOUNT_KAFKA_BROKERS: kafkaBrokers().join(),
      TRUECOUNT_TOPICS: this.topic,
    };
  }

  mapping(text: string): string {
    const path = join(this.home, `mapping-${String(++this.mappings)}.yaml`);
    writeFileSync(path, text);
    return path;
  }

  async redrive(...args: string[]): Promise<Answer> {
    const { code, stdout, stderr } = await truecount(
      ['quarantine', 'redrive', '--json', ...args],
      this.env,
    );
    if (code !== 0) throw new Error(`exit ${String(code)}: ${stdout}${stderr}`);
    return JSON.parse(stdout) as Answer;
  }

  async send(records: readonly LogRecord[]): Promise<void> {
    await produce(kafkaBrokers(), this.topic, records);
    await this.counted();
  }

  counted(): Promise<void> {
    return untilCounted(this.database.pool, kafkaBrokers(), this.topic);
  }

  async onLog(): Promise<number> {
    const ends = await endOffsets(kafkaBrokers(), this.topic);
    return [...ends.values()].reduce((sum, end) => sum + end, 0);
  }

  async flow(): Promise<Record<string, number>> {
    const { rows } = await this.database.pool.query<Record<string, string>>(
      `select sum(counted) as counted, sum(duplicate) as duplicate, sum(quarantined) as quarantined
         from flushes`,
    );
    return Object.fromEntries(Object.entries(rows[0]!).map(([name, n]) => [name, Number(n)]));
  }

  async close(): Promise<void> {
    await this.worker.stop();
    await this.database.close();
    rmSync(this.home, { recursive: true, force: true });
  }
}

/** The i-th click of the tests: its ad, time and country. */
function clickOf(i: number): { ad: string; ms: number; country: string } {
  const ms = START_MS + (i % 90) * MINUTE_MS + (i % 60) * 1_000;
  return { ad: `ad-${String(i % 7)}`, ms, country: ['US', 'DE'][i % 2]! };
}

function addTo(truth: Cells, i: number, withCountry = true): void {
  const { ad, ms, country } = clickOf(i);
  const minute = Math.floor(ms / MINUTE_MS) * MINUTE_MS;
  const filters = ['', `country:${withCountry ? country : 'unknown'}`];
  for (const filter of [...filters, 'device:unknown', 'format:unknown']) {
    const cell = `${ad}|${String(minute)}|${filter}`;
    truth.set(cell, (truth.get(cell) ?? 0) + 1);
  }
}

/** Keyed as a producer might that has no ad: any partition. */
function record(i: number, body: unknown): LogRecord {
  return { key: `k${String(i)}`, line: typeof body === 'string' ? body : JSON.stringify(body) };
}

function otherNames(i: number): LogRecord {
  const { ad, ms, country } = clickOf(i);
  return record(i, { click: 10_000_000 + i, campaign: ad, at: ms / 1_000, cc: country });
}

describe('records of several reasons', () => {
  let bed: Bed;
  const truth: Cells = new Map();
  const fixes: [reason: string, mapping: string, records: number][] = [
    ['missing_field', OTHER_NAMES, 60], // and those without an id, which it cannot mend
    ['missing_field', NO_ID, 50],
    ['wrong_type', NUMBER_ID, 40],
    ['bad_timestamp', LOCAL_TIME, 30],
  ];

  beforeAll(async () => {
    bed = await Bed.open();
    const records: LogRecord[] = [];
    for (let i = 0; i < 180; i++) {
      const { ad, ms, country } = clickOf(i);
      const wall = new Date(ms).toISOString().slice(0, 19).replace('T', ' ');
      if (i < 60) records.push(otherNames(i));
      else if (i < 110) records.push(record(i, { ad_id: ad, timestamp: ms, country }));
      else if (i < 150) records.push(record(i, { event_id: i, ad_id: ad, timestamp: ms, country }));
      else
        records.push(record(i, { event_id: `e${String(i)}`, ad_id: ad, timestamp: wall, country }));
      addTo(truth, i);
    }
    records.push(record(999, 'no json'));
    // The producer was mended as well and sent one of them again, rightly.
    const { ad, ms, country } = clickOf(120);
    const right = { event_id: '120', ad_id: ad, timestamp: ms, country };
    records.push({ key: ad, line: JSON.stringify(right) });
    await bed.send(records);
  });
  afterAll(() => bed.close());

  test('nothing counts before; a plan sends nothing', async () => {
    expect(await bed.flow()).toEqual({ counted: 1, duplicate: 0, quarantined: 181 });
    const before = await bed.onLog();
    for (const [reason, mapping, records] of fixes) {
      const args = ['--reason', reason, '--mapping', bed.mapping(mapping), '--plan'];
      expect(await bed.redrive(...args)).toMatchObject({
        plan: true,
        redrive: null,
        sent: records,
      });
    }
    expect(await bed.onLog()).toBe(before);
  });

  test('mended and redriven, each counts once; what is no click stays', async () => {
    for (const [reason, mapping, records] of fixes) {
      const args = ['--reason', reason, '--mapping', bed.mapping(mapping)];
      expect(await bed.redrive(...args)).toMatchObject({ sent: records });
    }
    await bed.counted();
    expect(cellDifferences(await liveCells(bed.database.pool), truth)).toEqual([]);
    // The one that its producer had sent rightly by then is the duplicate.
    expect(await bed.flow()).toEqual({ counted: 180, duplicate: 1, quarantined: 181 });
    const failed = await truecount(['quarantine', 'redrive', '--reason', 'not_json'], bed.env);
    expect(failed).toMatchObject({ code: 1 });
    expect(failed.stdout).toMatch(/^sent 0 of 1 records\nnot sent, not_json: 1\n/);
  });

  test('redriven twice, each still counts once', async () => {
    for (const [reason, mapping, records] of fixes) {
      const args = ['--reason', reason, '--mapping', bed.mapping(mapping)];
      expect(await bed.redrive(...args)).toMatchObject({ sent: 0, redrive: null });
      expect(await bed.redrive(...args, '--again')).toMatchObject({
        sent: records,
        sent_before: 0,
      });
    }
    await bed.counted();
    expect(cellDifferences(await liveCells(bed.database.pool), truth)).toEqual([]);
    expect(await bed.flow()).toEqual({ counted: 180, duplicate: 181, quarantined: 181 });
  });

  test('list and show tell when, by whom and where to; and what is quarantined again', async () => {
    const listed = async () => {
      const args = ['quarantine', 'list', '--reason', 'wrong_type', '--limit', '1', '--json'];
      const { stdout } = await truecount(args, bed.env);
      return (JSON.parse(stdout) as { records: Listed[] }).records[0]!;
    };
    const first = await listed();
    expect(first.redriven).toMatchObject({
      state: 'sent',
      by: expect.stringMatching(/^\S+@\S+$/) as string,
    });
    const { partition, offset } = first.redriven!.to!;
    const { rows } = await bed.database.pool.query<{ n: string }>(
      `select count(*) as n from flushes join stream_progress using (slot)
        where partition = $1 and $2 >= from_offset and $2 < to_offset and duplicate > 0`,
      [partition, offset],
    );
    expect(Number(rows[0]!.n)).toBe(1);
    // As a worker with an older decoder would have it.
    await bed.database.pool.query(
      `insert into quarantine (slot, log_offset, append_time, reason, detail, raw)
       select slot, $2, '2020-01-01', 'wrong_type', 'again', '{}'
         from stream_progress where partition = $1`,
      [partition, offset],
    );
    expect((await listed()).redriven).toMatchObject({ state: 'quarantined_again' });
    const position = `${bed.topic}/${String(first.partition)}/${String(first.offset)}`;
    const shown = await truecount(['quarantine', 'show', position], bed.env);
    expect(shown.stdout).toMatch(/redriven +quarantined again to \d\/\d+ at \S+Z by \S+@\S+\n/);
    expect(shown.stdout).toMatch(/what_to_do +a number for an id becomes text .*--mapping/);
    expect(shown.stdout).toMatch(/\n000000 {2}7b 22 65 /);
  });

  test.each([
    [[], 2, /not said which records/],
    [['--reason', 'ugly'], 2, /there is no reason ugly/],
    [['--select', 'clicks/0'], 2, /no position/],
    [['--select', 'nowhere/0/1'], 3, /no record is quarantined from nowhere\/0 at offset 1/],
    [['--all', '--mapping', 'nowhere.yaml'], 3, /cannot read the mapping/],
  ])('%j is refused with exit %i', async (args, exit, message) => {
    const { code, stderr } = await truecount(['quarantine', 'redrive', ...args], bed.env);
    expect(code).toBe(exit);
    expect(stderr).toMatch(message);
  });
});

interface Listed {
  readonly partition: number;
  readonly offset: number;
  readonly redriven: null | { state: string; to: null | { partition: number; offset: number } };
}

test('killed between the log and its note, and run again, each counts once', async () => {
  const bed = await Bed.open();
  const { pool } = bed.database;
  const records = 3 * PAGE_RECORDS;
  const truth: Cells = new Map();
  for (let i = 0; i < records; i++) addTo(truth, i);
  await bed.send(Array.from({ length: records }, (_, i) => otherNames(i)));
  expect(await bed.flow()).toMatchObject({ counted: 0, quarantined: records });

  // The second page is on the log, but its acknowledgement is never noted.
  await pool.query(`
    create function hold() returns trigger language plpgsql as $$ begin
      if exists (select from redriven where acked_at is not null) then
        perform pg_advisory_xact_lock(77);
      end if;
      return null;
    end $$;
    create trigger hold before update on redriven for each statement execute function hold()`);
  const holder = await pool.connect();
  await holder.query('select pg_advisory_lock(77)');
  const mapping = bed.mapping(OTHER_NAMES);
  const args = ['--reason', 'missing_field', '--mapping', mapping];
  const child = spawnTruecount(['quarantine', 'redrive', ...args], bed.env);
  const gone = new Promise((resolve) => child.once('close', resolve));
  const waiting = `select pid from pg_stat_activity
                    where datname = current_database() and wait_event = 'advisory'`;
  await until('the second page waits to be noted', async () => {
    return (await pool.query(waiting)).rows.length > 0;
  });
  expect(await bed.onLog()).toBe(records + 2 * PAGE_RECORDS);
  child.kill('SIGKILL');
  await gone;
  await pool.query(`select pg_terminate_backend(pid) from (${waiting}) w`);
  await until('its session is gone', async () => (await pool.query(waiting)).rows.length === 0);
  holder.release(true);
  await pool.query('drop trigger hold on redriven');

  const other = bed.mapping(`# another\n${OTHER_NAMES}`);
  expect(await bed.redrive('--all', '--mapping', other, '--plan')).toMatchObject({
    ...{ selected: records, sent: PAGE_RECORDS },
    ...{ sent_before: PAGE_RECORDS, perhaps_sent: PAGE_RECORDS },
  });
  expect(await bed.redrive(...args)).toMatchObject({
    ...{ selected: records, sent: 2 * PAGE_RECORDS },
    ...{ sent_before: PAGE_RECORDS, perhaps_sent: 0 },
  });
  await bed.counted();
  expect(cellDifferences(await liveCells(pool), truth)).toEqual([]);
  expect(await bed.flow()).toEqual({
    counted: records,
    duplicate: PAGE_RECORDS,
    quarantined: records,
  });
  await bed.close();
});
