import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { openRecordReader } from '../ingest/formats/record-reader.js';
import type { Format } from '../ingest/formats/record-reader.js';
import type { Mapping } from '../ingest/mapping/mapping-schema.js';
import { ClickProducer } from '../ingest/producer.js';
import { StateLock } from '../ingest/tail/lock.js';
import { createTailMetrics } from '../ingest/tail/metrics.js';
import type { TailMetrics } from '../ingest/tail/metrics.js';
import type { Pattern } from '../ingest/tail/names.js';
import { OwnFiles } from '../ingest/tail/own-files.js';
import { RejectsFile } from '../ingest/tail/rejects.js';
import { Scanner } from '../ingest/tail/scan.js';
import { FIRST_SILENCE_MS, Sender } from '../ingest/tail/sender.js';
import { prepareStateFolder, readState, writeState } from '../ingest/tail/state-file.js';
import type { TailState } from '../ingest/tail/state-file.js';
import { Tail } from '../ingest/tail/tail.js';
import type { Config } from './config.js';
import { kafkaClientOptions } from './kafka-options.js';
import { assertKafkaAccepts } from './kafka-contact.js';
import { createKafka } from './kafka-client.js';
import { startMetricsServer } from './metrics-server.js';
import { openFilesMax } from './open-files.js';
import type { RunningService } from './services.js';
import { processRef } from './stack/process.js';

export interface TailSettings {
  readonly patterns: readonly Pattern[];
  /**
   * How a file of this name is read.
   * @throws TruecountError if it cannot be with this mapping.
   */
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
 * damaged or a log is a file of the tail's own, `not_found` without the topic,
 * `dependency_unreachable` if Kafka refuses us; a Kafka that is away is waited for.
 */
export async function runTail(
  settings: TailSettings,
  config: Config,
  log: Logger,
): Promise<RunningService> {
  await ownFiles(settings).assertNoneOf(settings.patterns.flatMap(({ file }) => file ?? []));
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
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const metrics = createTailMetrics(registry, {
    files: () => tail.files.lag(),
    openFiles: () => tail.files.counts().openFiles,
    setAside: () => tail.files.counts().setAside,
    outage: () => sender.problem() !== undefined,
    nowMs: () => Date.now(),
  });
  const sender = openSender(settings, config, log, () => {
    metrics.outages.inc();
  });
  const tail = openTail(settings, { state, sender, metrics, log, lock });
  // Whatever becomes of Kafka, and of this process: from here on it is known which files there are.
  await tail.begin();
  const stopping = new AbortController();
  const contact = sender.begin(() => assertKafkaAccepts(config), stopping.signal);
  contact.catch(() => undefined);
  try {
    // It refuses us at once, or has no such topic: that is better said before anything runs.
    await Promise.race([contact, delay(FIRST_SILENCE_MS, undefined, { ref: false })]);
  } catch (error) {
    await tail.files.close();
    throw error;
  }
  let failure: string | undefined;
  const server = await startMetricsServer({
    ...config.metrics,
    registry,
    ready: () => failure ?? sender.problem() ?? tail.files.problem(),
  });
  const running = tail.run();
  const contacted = contact.catch((error: unknown) => {
    if (!stopping.signal.aborted) throw error;
  });
  const done = Promise.all([running, contacted]).then(() => undefined);
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
      await running.catch(() => undefined);
      stopping.abort();
      clearInterval(alive);
      await Promise.all([server.close(), sender.problem() === undefined ? sender.close() : null]);
      lock.release();
    },
  };
}

function ownFiles({ stateFile, rejectsFile }: TailSettings): OwnFiles {
  return new OwnFiles(stateFile, rejectsFile);
}

interface TailParts {
  readonly state: TailState;
  readonly sender: Sender;
  readonly metrics: TailMetrics;
  readonly log: Logger;
  readonly lock: StateLock;
}

function openTail(settings: TailSettings, parts: TailParts): Tail {
  const { patterns, mapping, source, graceMs } = settings;
  const { state, sender, metrics, log, lock } = parts;
  const scanner = new Scanner({ patterns, own: ownFiles(settings), graceMs });
  const rejects = new RejectsFile(settings.rejectsFile, settings.rejectsBytesMax);
  return new Tail({
    state,
    asked: patterns.flatMap(({ file }) => file ?? []),
    scan: (nowMs, open, usualPath) => scanner.scan(nowMs, open, usualPath),
    openReader: (path, from) => {
      const format = settings.formatOf(path);
      return openRecordReader({ format, mapping, source, state: from ?? undefined });
    },
    send: (records, signal) => sender.send(records, signal),
    keepRejects: (rejected, nowMs) => rejects.append(rejected, nowMs),
    save: async (next) => {
      await lock.hold();
      await writeState(settings.stateFile, next);
    },
    pollMs: settings.pollMs,
    graceMs,
    forgetMs: settings.forgetMs,
    openMax: openFilesMax(),
    metrics,
    log,
    now: () => Date.now(),
  });
}

function openSender(
  { topic }: TailSettings,
  config: Config,
  log: Logger,
  onOutage: () => void,
): Sender {
  const kafka = createKafka(kafkaClientOptions(config));
  return new Sender(() => ClickProducer.connect(kafka, { topic }), {
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
}
