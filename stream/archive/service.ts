import { rm } from 'node:fs/promises';
import type { Registry } from 'prom-client';
import type { Logger } from 'pino';
import type { KafkaConnection } from '../kafka/settings.js';
import { KafkaLogSource } from '../kafka/source.js';
import { createArchiveMetrics } from './metrics.js';
import type { ArchiveOptions } from './options.js';
import { Sweeper } from './sweep.js';
import { makeWorkFolder } from './work-folder.js';
import { ArchiveWorker } from './worker.js';

export interface ArchiveServiceOptions extends ArchiveOptions {
  readonly kafka: KafkaConnection;
  readonly groupId: string;
  readonly topics: readonly string[];
  readonly sessionTimeoutMs: number;
  /** How often leftovers are looked for. */
  readonly sweepIntervalMs?: number;
  readonly registry: Registry;
  readonly log: Logger;
}

export interface ArchiveService {
  /** Rejects when the archiver failed for good; the process should then end and be started again. */
  readonly done: Promise<void>;
  /** Why nothing can be archived now, if it has been so for some seconds. */
  problem(): string | undefined;
  /** Commits what is buffered and leaves the consumer group. */
  stop(): Promise<void>;
}

const SWEEP_INTERVAL_MS = 10 * 60_000;

/** Starts one archiver in this process. */
export async function startArchive(options: ArchiveServiceOptions): Promise<ArchiveService> {
  const { kafka, groupId, topics, sessionTimeoutMs, registry, log } = options;
  const workFolder = await makeWorkFolder(options.workFolder);
  const source = new KafkaLogSource({ kafka, groupId, topics, sessionTimeoutMs, logger: log });
  const metrics = createArchiveMetrics(registry);
  const sweeper = new Sweeper(
    { ...options, intervalMs: options.sweepIntervalMs ?? SWEEP_INTERVAL_MS },
    log,
    (removed) => {
      metrics.swept.inc(removed);
    },
  );
  // What a dead predecessor left can be removed as soon as its epoch is over.
  const worker = await ArchiveWorker.open(source, { ...options, workFolder }, metrics, log, () => {
    sweeper.sweepSoon();
  });
  const done = worker.run();
  sweeper.start();
  return {
    done,
    problem: () => worker.problem(),
    async stop() {
      await sweeper.stop();
      await worker.stop();
      await rm(workFolder, { recursive: true, force: true });
    },
  };
}
