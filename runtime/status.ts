import { archiveStandings, type ArchiveStanding } from '../store/archive/standing.js';
import { readAttention, type Attention } from '../store/read/attention.js';
import { readHourCounts } from '../store/read/hour-counts.js';
import { readPartitions, type PartitionAnswer } from '../store/read/partitions.js';
import type { LoadedConfig } from './config.js';
import { kafkaClientOptions } from './kafka-options.js';
import { createKafka } from './kafka-client.js';
import { withDatabase } from './database.js';
import { mask } from './describe-config.js';
import { readLogEnds, type LogEnd } from './log-end.js';
import { runningUrl, serviceHealth } from './service-health.js';
import { accepts } from './stack/ports.js';
import { isRunning } from './stack/process.js';
import { readState } from './stack/state.js';

/** Where everything is reached; null: not known, or not running. */
export interface Endpoints {
  readonly api: string | null;
  /** Where clicks are sent to over HTTP. */
  readonly collect: string | null;
  readonly temporal_ui: string | null;
  /** With the password if it is the embedded server's own, which nobody else knows. */
  readonly postgres: string | null;
  readonly kafka: string | null;
  readonly lake: string;
}

export interface Health {
  readonly name: string;
  readonly ok: boolean;
  /** What was found, or what is wrong. */
  readonly detail: string;
  /** It works, but somebody should know this. */
  readonly warning?: string;
}

export interface Status {
  readonly endpoints: Endpoints;
  readonly health: readonly Health[];
  /** Records on the log that are not committed, over all partitions; null if it can't be known. */
  readonly lag: number | null;
  /** Records on the log that are not in the lake. */
  readonly archive_lag: number | null;
  readonly watermark: string | null;
  /** How many hours are in which state; null if Postgres does not answer. */
  readonly hours: Readonly<Record<'open' | 'provisional' | 'cut' | 'final', number>> | null;
  /** Hours that wait for people, and those lately published with an alert; null as `hours`. */
  readonly attention: Attention | null;
}

/** How long `status` and `doctor` tell of an hour that was published with an alert. */
export const ALERTED_WITHIN_MS = 24 * 3_600_000;

/** What people have to look at, in words; undefined: nothing. */
export function attentionText({ waiting, held, alerted }: Attention): string | undefined {
  const hours = (n: number, one: string, many: string): string[] =>
    n === 0 ? [] : [n === 1 ? `1 hour ${one}` : `${String(n)} hours ${many}`];
  const lately = `published with an alert in the last ${String(ALERTED_WITHIN_MS / 3_600_000)} h`;
  const parts = [
    ...hours(waiting, 'waits for a person', 'wait for a person'),
    ...hours(held, 'is held by a rollback', 'are held by a rollback'),
    ...hours(alerted, `was ${lately}`, `were ${lately}`),
  ];
  return parts.length === 0 ? undefined : parts.join(', ');
}

/** Endpoints, health, lag and hours by state. It throws for nothing that is down: it reports it. */
export async function readStatus(loaded: LoadedConfig): Promise<Status> {
  const { config, sources } = loaded;
  const state = readState(config.home);
  const url = config.postgresUrl;
  const isOurs = sources.get('postgresUrl')?.kind === 'stack';
  const { temporal } = state.components;
  const endpoints: Endpoints = {
    api: runningUrl(state, 'api'),
    collect: runningUrl(state, 'collect'),
    temporal_ui:
      temporal !== undefined && isRunning(temporal.process) ? (temporal.ui ?? null) : null,
    postgres: url === undefined ? null : isOurs ? url : mask(url),
    kafka: config.kafka.brokers?.join(',') ?? null,
    lake: config.lakeUrl,
  };
  const [kafka, temporalHealth, counts, ends, services] = await Promise.all([
    checkKafka(loaded),
    checkTemporal(loaded),
    readCounts(loaded),
    readEnds(loaded),
    Promise.all(state.services.map(serviceHealth)),
  ]);
  const { partitions, archived, watermark, hours, attention } = counts;
  const known = partitions !== null && archived !== null && ends !== null;
  return {
    endpoints,
    health: [
      counts.health,
      kafka,
      ...temporalHealth,
      ...(known
        ? [readerHealth('stream', partitions, ends), readerHealth('archive', archived, ends)]
        : []),
      ...services,
    ],
    lag: known ? ends.reduce((sum, end) => sum + behind(partitions, end), 0) : null,
    archive_lag: known ? ends.reduce((sum, end) => sum + behind(archived, end), 0) : null,
    watermark,
    hours,
    attention,
  };
}

/** Where the stream or the archive stands in a partition. */
type Standing = Pick<PartitionAnswer, 'topic' | 'partition' | 'nextOffset' | 'owned'>;

/** What the log holds beyond the position that is committed. */
function behind(partitions: readonly Standing[], end: LogEnd): number {
  const next = partitionOf(partitions, end)?.nextOffset ?? 0;
  return Math.max(0, end.endOffset - next);
}

function partitionOf(
  partitions: readonly Standing[],
  { topic, partition }: LogEnd,
): Standing | undefined {
  return partitions.find((p) => p.topic === topic && p.partition === partition);
}

/** Whether every partition has an owner that gave a sign of life within the lease. */
function readerHealth(
  name: 'stream' | 'archive',
  partitions: readonly Standing[],
  ends: readonly LogEnd[],
): Health {
  const dead = ends.filter((end) => partitionOf(partitions, end)?.owned !== true);
  if (dead.length === 0) {
    return { name, ok: true, detail: `${String(ends.length)} partitions are read` };
  }
  const names = dead.map(
    (end) =>
      `${end.topic}/${String(end.partition)} (${String(behind(partitions, end))} records behind)`,
  );
  return { name, ok: false, detail: `no sign of life of ${names.join(', ')}` };
}

/** Null if Kafka does not say. */
async function readEnds({ config }: LoadedConfig): Promise<LogEnd[] | null> {
  try {
    return await readLogEnds(kafkaClientOptions(config), config.topics);
  } catch {
    return null; // the health of Kafka says why
  }
}

type Counts = Pick<Status, 'watermark' | 'hours' | 'attention'> & {
  readonly health: Health;
  readonly partitions: readonly PartitionAnswer[] | null;
  readonly archived: readonly ArchiveStanding[] | null;
};

async function readCounts({ config }: LoadedConfig): Promise<Counts> {
  try {
    return await withDatabase(config, async (client) => {
      const version = await client.query<{ server_version: string }>('show server_version');
      const detail = `PostgreSQL ${version.rows[0]?.server_version ?? ''}`;
      const partitions = await readPartitions(client);
      const archived = await archiveStandings(client);
      const { watermarkMs, ...hours } = await readHourCounts(client);
      const attention = await readAttention(client, Date.now() - ALERTED_WITHIN_MS);
      return {
        health: { name: 'postgres', ok: true, detail },
        partitions,
        archived,
        watermark: watermarkMs === null ? null : new Date(watermarkMs).toISOString(),
        hours,
        attention,
      };
    });
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    return {
      health: { name: 'postgres', ok: false, detail },
      partitions: null,
      archived: null,
      watermark: null,
      hours: null,
      attention: null,
    };
  }
}

async function checkKafka({ config }: LoadedConfig): Promise<Health> {
  try {
    const options = kafkaClientOptions(config);
    const retry = { retries: 0 };
    const kafka = createKafka({
      ...options,
      connectionTimeout: 3_000,
      retry,
    });
    const admin = kafka.admin();
    try {
      await admin.connect();
      const { brokers } = await admin.describeCluster();
      return { name: 'kafka', ok: true, detail: `${String(brokers.length)} broker(s)` };
    } finally {
      await admin.disconnect();
    }
  } catch (error) {
    return {
      name: 'kafka',
      ok: false,
      detail: error instanceof Error ? error.message : String(error),
    };
  }
}

async function checkTemporal({ config }: LoadedConfig): Promise<Health[]> {
  const address = config.temporalAddress;
  if (address === undefined)
    return [{ name: 'temporal', ok: false, detail: 'no address is known' }];
  const at = address.lastIndexOf(':');
  const ok = await accepts(address.slice(0, at), Number(address.slice(at + 1)));
  const detail = ok ? address : `${address} does not accept connections`;
  // Temporal's client is large: it is loaded only where there is a server to ask.
  const settle = ok
    ? [await (await import('./temporal/settle-health.js')).settleHealth(config)]
    : [];
  return [{ name: 'temporal', ok, detail }, ...settle];
}
