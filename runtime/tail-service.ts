import type { Logger } from 'pino';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { openRecordReader } from '../ingest/formats/record-reader.js';
import type { Format } from '../ingest/formats/record-reader.js';
import type { Mapping } from '../ingest/mapping/mapping-schema.js';
import { ClickProducer } from '../ingest/producer.js';
import { StateLock } from '../ingest/tail/lock.js';
import { createTailMetrics } from '../ingest/tail/metrics.js';
import type { Pattern } from '../ingest/tail/names.js';
import { RejectsFile } from '../ingest/tail/rejects.js';
import { Scanner } from '../ingest/tail/scan.js';
import { Sender } from '../ingest/tail/sender.js';
import { prepareStateFolder, readState, writeState } from '../ingest/tail/state-file.js';
import { Tail } from '../ingest/tail/tail.js';
import type { Config } from './config.js';
import { kafkaClientOptions } from './connections.js';
import { assertKafkaAccepts } from './first-contact.js';
import { createKafka } from './kafka-client.js';
import { startMetricsServer } from './metrics-server.js';
import type { RunningService } from './services.js';
import { processRef } from './stack/process.js';

export interface TailSettings {
  readonly patterns: readonly Pattern[];
  /** How a file of this name is read. */
  readonly formatOf: (path: string) => Format;
  /** What stands for `formatOf` in the state file. */
  readonly format: string;
  readonly mapping: Mapping | undefined;
  readonly source: string;
  readonly topic: string;
  /** Absolute. */
  readonly stateFile: string;
  readonly rejectsFile: string;
  readonly rejectsBytesMax: number;
  readonly pollMs: number;
  readonly graceMs: number;
  readonly forgetMs: number;
}

/** Signs of life of the lock; see `StateLock`. */
const HOLD_EVERY_MS = 5_000;
/** How long the last round may take when the tail is told to stop. */
const LAST_ROUND_MS = 5_000;

/**
 * Follows files until it is told to stop.
 * @throws TruecountError `conflict` if another tail has the state, `invalid_argument` if it is
 * damaged, `not_found` without the topic, `dependency_unreachable` if Kafka refuses us; a Kafka that
 * is away is waited for.
 */
export async function runTail(
  settings: TailSettings,
  config: Config,
  log: Logger,
): Promise<RunningService> {
  prepareStateFolder(settings.stateFile);
  const processes = { startedOf: (pid: number) => processRef(pid)?.started };
  const lock = StateLock.take(`${settings.stateFile}.lock`, processes, Date.now());
  try {
    return await startLocked(settings, config, log, lock);
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function startLocked(
  settings: TailSettings,
  config: Config,
  log: Logger,
  lock: StateLock,
): Promise<RunningService> {
  const state = readState(settings.stateFile, settings, Date.now());
  await assertKafkaAccepts(config);
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const metrics = createTailMetrics(registry, {
    files: () => tail.files.lag(),
    openFiles: () => tail.files.counts().openFiles,
    setAside: () => tail.files.counts().setAside,
    outage: () => sender.problem() !== undefined,
    nowMs: () => Date.now(),
  });
  const sender = await openSender(settings, config, log, () => {
    metrics.outages.inc();
  });
  const own = [settings.stateFile, settings.rejectsFile];
  const scanner = new Scanner(settings.patterns, (path) => own.some((one) => path.startsWith(one)));
  const rejects = new RejectsFile(settings.rejectsFile, settings.rejectsBytesMax);
  const { mapping, source } = settings;
  const tail = new Tail({
    state,
    scan: (nowMs, open, usualPath) => scanner.scan(nowMs, open, usualPath),
    openReader: (path, from) =>
      openRecordReader({
        format: settings.formatOf(path),
        mapping,
        source,
        state: from ?? undefined,
      }),
    send: (records, signal) => sender.send(records, signal),
    keepRejects: (rejected, nowMs) => rejects.append(rejected, nowMs),
    save: async (next) => {
      await lock.hold();
      await writeState(settings.stateFile, next);
    },
    pollMs: settings.pollMs,
    graceMs: settings.graceMs,
    forgetMs: settings.forgetMs,
    metrics,
    log,
    now: () => Date.now(),
  });
  let failure: string | undefined;
  const server = await startMetricsServer({
    ...config.metrics,
    registry,
    ready: () => failure ?? sender.problem() ?? tail.files.problem(),
  });
  const done = tail.run();
  const alive = setInterval(() => {
    // Taken over: the next write says so.
    lock.hold().catch(() => undefined);
  }, HOLD_EVERY_MS);
  done.catch((error: unknown) => {
    failure = String(error);
  });
  return {
    url: server.url,
    done,
    async stop() {
      // While Kafka is away a round may wait for ever, and the positions are saved.
      tail.stop(sender.problem() === undefined ? LAST_ROUND_MS : 0);
      await done.catch(() => undefined);
      clearInterval(alive);
      await Promise.all([server.close(), sender.problem() === undefined ? sender.close() : null]);
      lock.release();
    },
  };
}

/** A Kafka that is there must have the topic; later, without it, the tail waits as for Kafka. */
async function openSender(
  { topic }: TailSettings,
  config: Config,
  log: Logger,
  onOutage: () => void,
): Promise<Sender> {
  const kafka = createKafka(kafkaClientOptions(config));
  const sender = new Sender(() => ClickProducer.connect(kafka, { topic }), {
    outageBegan(why) {
      onOutage();
      log.error(
        { why },
        'Kafka is away: nothing is read until it is back, the files are the buffer',
      );
    },
    outageEnded(ms) {
      log.info({ ms }, 'Kafka is back');
    },
  });
  await sender.begin();
  return sender;
}
