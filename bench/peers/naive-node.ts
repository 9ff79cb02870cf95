/**
 * The ordinary Node consumer that truecount is measured beside: kafkajs eachBatch, JSON.parse, one
 * Set of ids, one Map of counts per kind of cell, additive upserts of many rows once a second,
 * offsets committed automatically. It counts twice after a crash and forgets no id: no
 * recommendation. As a process: `node dist/bench/peers/naive-node.js`, told what to do by IPC.
 */
import { Kafka, logLevel } from 'kafkajs';
import pg from 'pg';

export interface NaiveTask {
  readonly brokers: readonly string[];
  readonly postgresUrl: string;
  readonly topic: string;
  readonly groupId: string;
}

/** When the first record was seen, and how many records are in committed counts. */
export interface NaiveProgress {
  readonly firstMs: number;
  readonly written: number;
}

export const NAIVE_SCHEMA = `
  create table naive_ad (ad_id text, minute bigint, count bigint not null,
                         primary key (ad_id, minute));
  create table naive_country (ad_id text, minute bigint, value text, count bigint not null,
                              primary key (ad_id, minute, value));
  create table naive_device (like naive_country including all);
  create table naive_format (like naive_country including all)`;

const FLUSH_MS = 1_000;
const ROWS_PER_STATEMENT = 5_000;

interface Event {
  readonly event_id: string;
  readonly ad_id: string;
  readonly timestamp: number;
  readonly country: string;
  readonly device: string;
  readonly ad_format: string;
}

class Counts {
  private readonly maps = new Map<string, Map<string, number>>();

  add(table: string, key: string): void {
    let map = this.maps.get(table);
    if (map === undefined) {
      map = new Map<string, number>();
      this.maps.set(table, map);
    }
    map.set(key, (map.get(key) ?? 0) + 1);
  }

  async write(client: pg.Client): Promise<void> {
    await client.query('begin');
    for (const [table, map] of this.maps) {
      const rows = [...map].map(([key, count]) => [...key.split('|'), count]);
      for (let at = 0; at < rows.length; at += ROWS_PER_STATEMENT) {
        await upsert(client, table, rows.slice(at, at + ROWS_PER_STATEMENT));
      }
    }
    await client.query('commit');
  }
}

async function upsert(
  client: pg.Client,
  table: string,
  rows: readonly (readonly (string | number)[])[],
): Promise<void> {
  const keys = table === 'naive_ad' ? 'ad_id, minute' : 'ad_id, minute, value';
  let n = 0;
  const places = rows.map((row) => `(${row.map(() => `$${String(++n)}`).join(',')})`);
  await client.query(
    `insert into ${table} as t (${keys}, count) values ${places.join(',')}
     on conflict (${keys}) do update set count = t.count + excluded.count`,
    rows.flat(),
  );
}

async function consume({ brokers, postgresUrl, topic, groupId }: NaiveTask): Promise<void> {
  const client = new pg.Client(postgresUrl);
  await client.connect();
  const seen = new Set<string>();
  let counts = new Counts();
  let firstMs = 0;
  let read = 0;
  const handle = (value: Buffer): void => {
    if (read++ === 0) {
      firstMs = Date.now();
      tell({ firstMs, written: 0 });
    }
    const event = JSON.parse(value.toString()) as Event;
    if (seen.has(event.event_id)) return;
    seen.add(event.event_id);
    const key = `${event.ad_id}|${String(Math.floor(event.timestamp / 60_000))}`;
    counts.add('naive_ad', key);
    counts.add('naive_country', `${key}|${event.country}`);
    counts.add('naive_device', `${key}|${event.device}`);
    counts.add('naive_format', `${key}|${event.ad_format}`);
  };
  let writing = false;
  setInterval(() => {
    if (writing || read === 0) return;
    writing = true;
    const [full, written] = [counts, read];
    counts = new Counts();
    void full.write(client).then(() => {
      writing = false;
      tell({ firstMs, written });
    });
  }, FLUSH_MS);
  const kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING });
  const consumer = kafka.consumer({ groupId });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await consumer.run({
    eachBatch: async (payload) => {
      for (const message of payload.batch.messages) {
        handle(message.value!);
        payload.resolveOffset(message.offset);
      }
      await payload.heartbeat();
    },
  });
}

function tell(progress: NaiveProgress): void {
  process.send?.(progress);
}

if (process.send !== undefined) {
  process.once('message', (task) => void consume(task as NaiveTask));
  process.once('disconnect', () => process.exit(0));
}
